#[polywire::service(package = "inventory.v1", package = "inventory.v2")]
pub trait Inventory {}

fn main() {}
