macro_rules! methods {
    () => {};
}

#[polywire::service(package = "inventory.v1")]
pub trait Inventory {
    methods!();
}

fn main() {}
