#[polywire::service(package = "inventory.v1")]
pub trait Inventory
where
    Self: Sized,
{
}

fn main() {}
