#[path = "messages/mod.rs"]
mod messages;

use messages::{GetRequest, Item};
use polywire::{Status, Streaming};

#[polywire::service(package = "inventory.v1")]
pub trait Inventory {
    async fn get(&self, request: Streaming<Streaming<GetRequest>>) -> Result<Item, Status>;
}

fn main() {}
