#[path = "messages/mod.rs"]
mod messages;

use messages::GetRequest;
use polywire::Status;

#[polywire::service(package = "inventory.v1")]
pub trait Inventory {
    async fn get(&self, request: GetRequest) -> Result<std::time::Duration, Status>;
}

fn main() {}
