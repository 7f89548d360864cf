#[path = "messages/mod.rs"]
mod messages;

use messages::{GetRequest, Item};
use polywire::{Context, Status};

#[polywire::service(package = "inventory.v1")]
pub trait Inventory {
    async fn get(&self, cx: Context, request: GetRequest) -> Result<Item, Status>;
}

fn main() {}
