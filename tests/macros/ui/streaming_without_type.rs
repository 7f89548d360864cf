#[path = "messages/mod.rs"]
mod messages;

use messages::GetRequest;
use polywire::{Status, Streaming};

#[polywire::service(package = "inventory.v1")]
pub trait Inventory {
    async fn get(&self, request: GetRequest) -> Result<Streaming, Status>;
}

fn main() {}
