#[polywire::service]
pub trait Inventory {}

fn main() {}
