#[path = "messages/mod.rs"]
mod messages;

use messages::{GetRequest, Item};
use polywire::Status;

#[polywire::service(package = "inventory.v1")]
pub trait Inventory {
    async fn get(&self, request: GetRequest) -> Result<Item, OutOfStock>;
}

pub struct OutOfStock;

impl From<OutOfStock> for Status {
    fn from(_: OutOfStock) -> Self {
        Self::unavailable("out of stock")
    }
}

fn stocked(_: impl Inventory) {}

fn stock(client: InventoryClient) {
    stocked(client);
}

fn main() {}
