#[polywire::service(package = "inventory.v1")]
pub trait Inventory {
    const LIMIT: usize;
}

fn main() {}
