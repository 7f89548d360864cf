//! The client is an implementation of the trait just where it meets the supertraits.

#![deny(warnings, missing_docs, unreachable_pub, unused_qualifications)]

#[path = "../messages/mod.rs"]
pub mod messages;

use messages::Item;
use polywire::Status;

/// Has a name.
pub trait Named {
    /// The name.
    fn name(&self) -> &'static str {
        "nobody"
    }

    /// Has the name of the services' method.
    fn echo(&self) {}
}

/// Is met by the client.
#[polywire::service(package = "inventory.v1")]
pub trait Met: Named + Clone + std::fmt::Debug {
    /// Echoes.
    async fn echo(&self, item: Item) -> Result<Item, Status>;
}

impl Named for MetClient {}

/// Is not met by the client.
#[polywire::service(package = "inventory.v1")]
pub trait Unmet: Named + Send {
    /// Echoes.
    async fn echo(&self, item: Item) -> Result<Item, Status>;
}

fn name(met: &impl Met) -> &'static str {
    met.name()
}

struct Echo;

impl Named for Echo {}

impl Unmet for Echo {
    async fn echo(&self, item: Item) -> Result<Item, Status> {
        Ok(item)
    }
}

fn main() {
    let unmet = UnmetServer::new(Echo);
    assert_eq!(name(&MetClient::new(unmet.clone())), "nobody");
    run(async move {
        assert_eq!(UnmetClient::new(unmet).echo(Item { id: 2 }).await.unwrap().id, 2);
    });
}

fn run(future: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future);
}
