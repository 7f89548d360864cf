#[polywire::service(package = "inventory.v1")]
pub struct Inventory;

fn main() {}
