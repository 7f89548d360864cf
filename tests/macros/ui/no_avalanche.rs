#[path = "messages/mod.rs"]
mod messages;

use messages::{GetRequest, Item};
use polywire::Status;

#[polywire::service(package = "inventory.v1")]
pub trait Inventory {
    #[rpc(timeout = "soon")]
    async fn get(&self, request: GetRequest) -> Result<Item, Status>;
}

struct Stock;

impl Inventory for Stock {
    async fn get(&self, request: GetRequest) -> Result<Item, Status> {
        Ok(Item { id: request.id })
    }
}

fn main() {
    let client = InventoryClient::new(InventoryServer::new(Stock));
    let _ = client.get(GetRequest { id: 1 });
    let _ = Inventory::get(&client, GetRequest { id: 1 });
}
