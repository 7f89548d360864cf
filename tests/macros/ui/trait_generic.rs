#[polywire::service(package = "inventory.v1")]
pub trait Inventory<T> {}

fn main() {}
