#[path = "messages/mod.rs"]
mod messages;

use messages::{GetRequest, Item};
use polywire::Status;

#[polywire::service(package = "inventory.v1")]
pub trait Inventory {
    const LIMIT: usize;
    #[rpc(idempotant, timeout = "5")]
    async fn get(&mut self, request: &GetRequest) -> Item;
    #[rpc(max_message_bytes = 0)]
    async fn put(&self, item: Item) -> Result<Item, Status>;
}

fn main() {}
