#[path = "messages/mod.rs"]
mod messages;

use messages::{GetRequest, Item};
use polywire::Status;

#[polywire::service(package = "inventory.v1")]
pub trait Inventory {
    async fn get(&self, cx: &std::task::Context, request: GetRequest) -> Result<Item, Status>;
}

fn main() {}
