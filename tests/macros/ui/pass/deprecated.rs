//! A deprecated method warns those who call it, not those who serve it.

#![deny(warnings, missing_docs, unreachable_pub, unused_qualifications)]

#[path = "../messages/mod.rs"]
pub mod messages;

use messages::Item;
use polywire::Status;

/// What is in stock.
#[polywire::service(package = "inventory.v1")]
pub trait Inventory {
    /// Adds an item.
    #[deprecated(note = "there is no more room")]
    async fn add(&self, item: Item) -> Result<Item, Status>;
    /// Adds an item, in the style of elsewhere.
    #[allow(non_snake_case)]
    async fn addItem(&self, item: Item) -> Result<Item, Status>;
}

fn main() {
    fn is_inventory<T: Inventory>() {}
    is_inventory::<InventoryClient>();
}
