//! A method with a body need not be implemented.

#![deny(warnings, missing_docs, unreachable_pub, unused_qualifications)]

#[path = "../messages/mod.rs"]
pub mod messages;

use messages::{GetRequest, Item};
use polywire::Status;

/// What is in stock.
#[polywire::service(package = "inventory.v1")]
pub trait Inventory {
    /// Looks one item up.
    async fn get(&self, request: GetRequest) -> Result<Item, Status>;
    /// Looks the next item up.
    async fn next(&self, mut request: GetRequest) -> Result<Item, Status> {
        request.id = request.id.checked_add(1).ok_or_else(|| Status::out_of_range("the last"))?;
        self.get(request).await
    }
}

struct Stock;

impl Inventory for Stock {
    async fn get(&self, request: GetRequest) -> Result<Item, Status> {
        Ok(Item { id: request.id })
    }
}

fn main() {
    run(async {
        let client = InventoryClient::new(InventoryServer::new(Stock));
        assert_eq!(client.next(GetRequest { id: 1 }).await.unwrap().id, 2);
        assert_eq!(
            client.next(GetRequest { id: u32::MAX }).await.unwrap_err().code(),
            polywire::Code::OutOfRange
        );
    });
}

fn run(future: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future);
}
