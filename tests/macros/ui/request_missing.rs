#[path = "messages/mod.rs"]
mod messages;

use messages::Item;
use polywire::Status;

#[polywire::service(package = "inventory.v1")]
pub trait Inventory {
    async fn get(&self) -> Result<Item, Status>;
}

fn main() {}
