#[path = "messages/mod.rs"]
mod messages;

use messages::{GetRequest, Item};
use polywire::Status;

#[polywire::service(package = "inventory.v1")]
pub trait Inventory {
    #[rpc(name = "Get/Item")]
    async fn get(&self, request: GetRequest) -> Result<Item, Status>;
}

fn main() {}
