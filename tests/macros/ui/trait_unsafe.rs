#[polywire::service(package = "inventory.v1")]
pub unsafe trait Inventory {}

fn main() {}
