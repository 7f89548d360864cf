#[polywire::service(package = "inventory.v1", name = "In ventory")]
pub trait Inventory {}

fn main() {}
