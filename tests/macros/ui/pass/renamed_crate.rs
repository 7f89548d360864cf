//! The expansion names the crate as the attribute does.

#![deny(warnings, missing_docs, unreachable_pub, unused_qualifications)]

#[path = "../messages/mod.rs"]
pub mod messages;

extern crate polywire as wires;

use messages::{GetRequest, Item};
use wires::{Status, Streaming};

/// What is in stock.
#[wires::service(package = "inventory.v1", access = "operator", crate = ::wires)]
pub trait Inventory {
    /// Looks items up.
    #[rpc(timeout = "5s")]
    async fn get(&self, request: GetRequest) -> Result<Streaming<Item>, Status>;
}

fn main() {
    fn is_inventory<T: Inventory>() {}
    is_inventory::<InventoryClient>();
}
