#[polywire::service(package = "inventory.v1")]
pub trait Inventory {
    type Item;
}

fn main() {}
