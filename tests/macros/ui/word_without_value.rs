#[polywire::service(package)]
pub trait Inventory {}

fn main() {}
