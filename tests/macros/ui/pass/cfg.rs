//! A method that is compiled away leaves nothing behind, and neither do its types.

#![deny(warnings, missing_docs, unreachable_pub, unused_qualifications)]

#[path = "../messages/mod.rs"]
pub mod messages;

use messages::Item;
use polywire::Status;

/// What is in stock.
#[polywire::service(package = "inventory.v1")]
pub trait Inventory {
    /// Is there.
    #[cfg(not(any()))]
    async fn get(&self, request: Item) -> Result<Item, Status>;
    /// Is not.
    #[cfg(any())]
    async fn put(&self, request: Absent) -> Result<AbsentToo, AbsentError>;
    /// Is not either.
    #[cfg_attr(all(), cfg(any()))]
    async fn drop(&self, request: Absent) -> Result<AbsentToo, Status>;
    /// One of two of the name.
    #[cfg(all())]
    async fn find(&self, request: Item) -> Result<Item, Status>;
    /// The other.
    #[cfg(not(all()))]
    async fn find(&self, request: Absent) -> Result<Item, Status>;
}

fn main() {
    fn is_inventory<T: Inventory>() {}
    is_inventory::<InventoryClient>();
    let table = <InventoryDefinition as polywire::__private::Definition>::SERVICE;
    let names: Vec<&str> = table.methods().iter().map(|method| method.name()).collect();
    assert_eq!(names, ["Get", "Find"]);
}
