//! The inventory of the guide.

use polywire::{Context, Status, Streaming};

#[derive(Clone, PartialEq, prost::Message, serde::Serialize, serde::Deserialize)]
#[serde(default)]
pub struct Item {
    #[prost(string, tag = "1")]
    pub name: String,
    #[prost(uint32, tag = "2")]
    pub count: u32,
}

/// What is in stock.
#[polywire::service(package = "inventory.v1")]
pub trait Inventory {
    /// Looks one item up.
    #[rpc(idempotent, timeout = "5s")]
    async fn get(&self, request: Item) -> Result<Item, Status>;
    /// Counts down from what is in stock.
    async fn watch(&self, cx: &Context, request: Item) -> Result<Streaming<Item>, Status>;
    /// Takes many items in, and tells their sum.
    async fn import(&self, items: Streaming<Item>) -> Result<Item, Status>;
}

#[derive(Default)]
pub struct Shelf;

impl Inventory for Shelf {
    async fn get(&self, request: Item) -> Result<Item, Status> {
        match request.name.as_str() {
            "" => Err(Status::invalid_argument("an item has a name")),
            name => Ok(Item { name: name.to_owned(), count: 3 }),
        }
    }

    async fn watch(&self, cx: &Context, request: Item) -> Result<Streaming<Item>, Status> {
        println!("asked over {}", cx.transport());
        Ok(Streaming::from_iter((0..3).rev().map(move |count| Item { count, ..request.clone() })))
    }

    async fn import(&self, mut items: Streaming<Item>) -> Result<Item, Status> {
        let mut sum = Item::default();
        while let Some(item) = items.message().await? {
            sum.count += item.count;
        }
        Ok(sum)
    }
}

// The server is a client too: nothing is encoded, no socket is opened.
pub async fn in_process() -> Result<(), Status> {
    let client = InventoryClient::new(InventoryServer::new(Shelf));
    let item = client.get(Item { name: "bolt".into(), count: 0 }).metadata("tenant", "blue").await?;
    assert_eq!(item.count, 3);
    Ok(())
}

// Over a connection that you have: a tonic channel, or an Iroh endpoint and a peer's address.
pub async fn over_the_network(
    channel: tonic::transport::Channel,
    endpoint: iroh::Endpoint,
    peer: iroh::EndpointAddr,
) -> Result<(), Status> {
    let over_grpc = InventoryClient::new(channel);
    let over_iroh = InventoryClient::new(polywire::iroh::Peer::new(endpoint, peer));
    for client in [over_grpc, over_iroh] {
        let mut items = client.watch(Item { name: "bolt".into(), count: 0 }).await?;
        while let Some(item) = items.message().await? {
            println!("{item:?}");
        }
    }
    Ok(())
}

// From the targets that a node prints, whatever their transport.
pub async fn by_target(target: &str) -> Result<InventoryClient, Box<dyn std::error::Error>> {
    let target: polywire::Target = target.parse()?;
    Ok(InventoryClient::new(target.connect(&polywire::ConnectOptions::default()).await?))
}

// Code written against the trait runs with the implementation, with a mock, or with a peer elsewhere.
pub async fn restock(inventory: &impl Inventory) -> Result<Item, Status> {
    inventory.get(Item { name: "bolt".into(), count: 0 }).await
}
