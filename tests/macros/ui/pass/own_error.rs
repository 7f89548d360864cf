//! The client is an implementation of the trait just where its error types allow it.

#![deny(warnings, missing_docs, unreachable_pub, unused_qualifications)]

#[path = "../messages/mod.rs"]
pub mod messages;

use messages::Item;
use polywire::Status;

/// An error that a peer's status can become.
#[derive(Debug)]
pub struct Convertible(Status);

impl From<Status> for Convertible {
    fn from(status: Status) -> Self {
        Self(status)
    }
}

impl From<Convertible> for Status {
    fn from(error: Convertible) -> Self {
        error.0
    }
}

/// An error that it cannot become.
#[derive(Debug)]
pub struct OneWay;

impl From<OneWay> for Status {
    fn from(_: OneWay) -> Self {
        Self::aborted("one way")
    }
}

/// Fails both ways.
#[polywire::service(package = "inventory.v1")]
pub trait There {
    /// Fails.
    async fn go(&self, item: Item) -> Result<Item, Convertible>;
    /// Fails if it is there at all.
    #[cfg(not(any()))]
    async fn walk(&self, item: Item) -> Result<Item, Convertible>;
}

/// Fails one way.
#[polywire::service(package = "inventory.v1")]
pub trait Back {
    /// Fails.
    async fn go(&self, item: Item) -> Result<Item, OneWay>;
}

struct Failing;

impl There for Failing {
    async fn go(&self, _: Item) -> Result<Item, Convertible> {
        Err(Convertible(Status::not_found("there")))
    }

    async fn walk(&self, item: Item) -> Result<Item, Convertible> {
        There::go(self, item).await
    }
}

impl Back for Failing {
    async fn go(&self, _: Item) -> Result<Item, OneWay> {
        Err(OneWay)
    }
}

async fn code(there: impl There) -> polywire::Code {
    there.go(Item { id: 1 }).await.unwrap_err().0.code()
}

fn main() {
    run(async {
        assert_eq!(code(ThereClient::new(ThereServer::new(Failing))).await, polywire::Code::NotFound);
        let back = BackClient::new(BackServer::new(Failing));
        assert_eq!(back.go(Item { id: 1 }).await.unwrap_err().code(), polywire::Code::Aborted);
    });
}

fn run(future: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future);
}
