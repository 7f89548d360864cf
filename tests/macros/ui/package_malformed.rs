#[polywire::service(package = "Inventory.v1")]
pub trait Upper {}

#[polywire::service(package = "")]
pub trait Empty {}

fn main() {}
