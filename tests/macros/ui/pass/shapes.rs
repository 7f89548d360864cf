//! All four shapes, called through the client and through the trait.

#![deny(warnings, missing_docs, unreachable_pub, unused_qualifications)]

#[path = "../messages/mod.rs"]
pub mod messages;

use messages::{GetRequest, Item};
use polywire::{Context, Response, Shape, Status, Streaming};

/// What is in stock.
#[polywire::service(package = "inventory.v1")]
pub trait Inventory {
    /// Looks one item up.
    #[rpc(idempotent, timeout = "5s", max_message_bytes = 4096, access = "public")]
    async fn get(&self, request: GetRequest) -> Result<Item, Status>;
    /// Lists items.
    async fn watch(&self, cx: &Context, request: GetRequest) -> Result<Streaming<Item>, Status>;
    /// Takes items in.
    async fn import(&self, items: Streaming<Item>) -> Result<Response<Item>, Status>;
    /// Trades items.
    async fn sync(&self, cx: &Context, items: Streaming<Item>) -> Result<Response<Streaming<Item>>, Status>;
}

struct Stock;

impl Inventory for Stock {
    async fn get(&self, request: GetRequest) -> Result<Item, Status> {
        Ok(Item { id: request.id })
    }

    async fn watch(&self, cx: &Context, request: GetRequest) -> Result<Streaming<Item>, Status> {
        assert_eq!(cx.path(), "/inventory.v1.Inventory/Watch");
        Ok(Streaming::from_iter((0..request.id).map(|id| Item { id })))
    }

    async fn import(&self, mut items: Streaming<Item>) -> Result<Response<Item>, Status> {
        let mut id = 0;
        while let Some(item) = items.message().await? {
            id += item.id;
        }
        Ok(Response::new(Item { id }))
    }

    async fn sync(&self, _cx: &Context, items: Streaming<Item>) -> Result<Response<Streaming<Item>>, Status> {
        Ok(Response::new(items))
    }
}

async fn sum(mut items: Streaming<Item>) -> Result<u32, Status> {
    let mut sum = 0;
    while let Some(item) = items.message().await? {
        sum += item.id;
    }
    Ok(sum)
}

async fn through_the_trait(stock: impl Inventory) -> Result<(), Status> {
    let items = || Streaming::from_iter([Item { id: 1 }, Item { id: 2 }]);
    let cx = Context::new();
    if cx.path().is_empty() {
        assert_eq!(stock.get(GetRequest { id: 7 }).await?.id, 7);
        assert_eq!(stock.import(items()).await?.message.id, 3);
        assert_eq!(sum(stock.sync(&cx, items()).await?.message).await?, 3);
    }
    Ok(())
}

fn main() {
    let table = <InventoryDefinition as polywire::__private::Definition>::SERVICE;
    let shapes: Vec<Shape> = table.methods().iter().map(|method| method.shape()).collect();
    assert_eq!(shapes, [Shape::Unary, Shape::ServerStreaming, Shape::ClientStreaming, Shape::BidiStreaming]);
    let get = table.find("/inventory.v1.Inventory/Get").unwrap();
    assert!(get.is_idempotent());
    assert_eq!(get.default_timeout(), Some(std::time::Duration::from_secs(5)));
    assert_eq!((get.message_limit(), get.documentation()), (Some(4096), "Looks one item up."));
    assert_eq!(table.documentation(), "What is in stock.");

    run(async {
        let client = InventoryClient::new(InventoryServer::new(Stock));
        let items = || Streaming::from_iter([Item { id: 1 }, Item { id: 2 }]);
        assert_eq!(client.get(GetRequest { id: 7 }).await.unwrap().id, 7);
        assert_eq!(sum(client.watch(GetRequest { id: 4 }).await.unwrap()).await.unwrap(), 6);
        assert_eq!(client.import(items()).await.unwrap().id, 3);
        assert_eq!(sum(client.sync(items()).await.unwrap()).await.unwrap(), 3);
        through_the_trait(client).await.unwrap();
    });
}

fn run(future: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future);
}
