#[path = "messages/mod.rs"]
mod messages;

use messages::{GetRequest, Item};
use polywire::Status;

#[polywire::service(package = "inventory.v1", access = "everyone")]
pub trait Inventory {
    #[rpc(access = "operators")]
    async fn get(&self, request: GetRequest) -> Result<Item, Status>;
}

fn main() {}
