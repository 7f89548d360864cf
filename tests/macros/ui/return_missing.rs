#[path = "messages/mod.rs"]
mod messages;

use messages::GetRequest;
use polywire as _;

#[polywire::service(package = "inventory.v1")]
pub trait Inventory {
    async fn get(&self, request: GetRequest);
}

fn main() {}
