//! The constructor keeps its name, the trait's method is reached through the trait.

#![deny(warnings, missing_docs, unreachable_pub, unused_qualifications)]

#[path = "../messages/mod.rs"]
pub mod messages;

use messages::Item;
use polywire::{Context, Status};

/// Makes things.
#[polywire::service(package = "inventory.v1")]
pub trait Factory {
    /// Makes one.
    async fn new(&self, cx: &Context, request: Item) -> Result<Item, Status>;
    /// Copies one.
    async fn clone(&self, request: Item) -> Result<Item, Status>;
}

struct Workshop;

impl Factory for Workshop {
    async fn new(&self, _cx: &Context, request: Item) -> Result<Item, Status> {
        Ok(request)
    }

    async fn clone(&self, request: Item) -> Result<Item, Status> {
        Ok(Item { id: request.id + 1 })
    }
}

fn main() {
    run(async {
        let client = FactoryClient::new(FactoryServer::new(Workshop));
        assert_eq!(client.clone(Item { id: 3 }).await.unwrap().id, 4);
        assert_eq!(Factory::new(&client, &Context::new(), Item { id: 3 }).await.unwrap().id, 3);
        assert_eq!(Factory::clone(&client, Item { id: 3 }).await.unwrap().id, 4);
    });
}

fn run(future: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future);
}
