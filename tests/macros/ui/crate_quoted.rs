#[polywire::service(package = "inventory.v1", crate = "polywire")]
pub trait Inventory {}

fn main() {}
