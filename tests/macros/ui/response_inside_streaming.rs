#[path = "messages/mod.rs"]
mod messages;

use messages::{GetRequest, Item};
use polywire::{Response, Status, Streaming};

#[polywire::service(package = "inventory.v1")]
pub trait Inventory {
    async fn get(&self, request: GetRequest) -> Result<Streaming<Response<Item>>, Status>;
}

fn main() {}
