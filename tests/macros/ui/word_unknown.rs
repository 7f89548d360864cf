#[polywire::service(package = "inventory.v1", nane = "Stock")]
pub trait Inventory {}

fn main() {}
