//! A node that serves the inventory.

use inventory::{InventoryServer, Shelf};

#[polywire::main]
fn node() -> polywire::NodeBuilder {
    polywire_services::node().service(InventoryServer::new(Shelf))
}
