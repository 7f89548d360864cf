#[path = "messages/mod.rs"]
mod messages;

use messages::Item;
use polywire::Status;

#[polywire::service(package = "inventory.v1")]
pub trait Inventory {
    async fn get(&self, request: impl polywire::Message) -> Result<Item, Status>;
}

fn main() {}
