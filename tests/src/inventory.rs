//! A demo service with all four shapes, whose behaviour each test scripts.

use std::{collections::BTreeMap, future::Future, pin::Pin, sync::Arc, time::Duration};

use bytes::Bytes;
use futures_util::StreamExt;
use polywire::{Caller, Codec, Compression, Context, Metadata, Response, Status, Streaming};
use serde::{Deserialize, Serialize};

/// Something in stock.
#[derive(Clone, PartialEq, prost::Message, Serialize, Deserialize)]
#[serde(default)]
pub struct Item {
    /// What it is called.
    #[prost(string, tag = "1")]
    pub name: String,
    /// How many there are.
    #[prost(uint32, tag = "2")]
    pub count: u32,
    /// What it looks like.
    #[prost(bytes = "bytes", tag = "3")]
    pub picture: Bytes,
    /// How it is.
    #[prost(enumeration = "Condition", tag = "4")]
    pub condition: i32,
    /// What is written on it.
    #[prost(btree_map = "string, string", tag = "5")]
    pub labels: BTreeMap<String, String>,
    /// What it is made of.
    #[prost(message, optional, boxed, tag = "6")]
    pub part: Option<Box<Self>>,
}

impl Item {
    /// An item of this name, once.
    pub fn named(name: impl Into<String>) -> Self {
        Self { name: name.into(), count: 1, ..Self::default() }
    }

    /// An item with a picture of this many bytes.
    pub fn pictured(bytes: usize) -> Self {
        Self { picture: vec![0xab; bytes].into(), ..Self::default() }
    }
}

/// How an item is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, prost::Enumeration)]
#[repr(i32)]
pub enum Condition {
    /// Not said.
    Unknown = 0,
    /// Never used.
    New = 1,
    /// Used.
    Worn = 2,
}

/// Asks for one item.
#[derive(Clone, PartialEq, prost::Message, Serialize, Deserialize)]
#[serde(default)]
pub struct GetRequest {
    /// Its name.
    #[prost(string, tag = "1")]
    pub name: String,
    /// What it should look like.
    #[prost(bytes = "bytes", tag = "2")]
    pub picture: Bytes,
}

impl GetRequest {
    /// Asks for the item of this name.
    pub fn named(name: impl Into<String>) -> Self {
        Self { name: name.into(), picture: Bytes::new() }
    }
}

/// Asks for a number of items.
#[derive(Clone, PartialEq, prost::Message, Serialize, Deserialize)]
#[serde(default)]
pub struct WatchRequest {
    /// How many.
    #[prost(uint32, tag = "1")]
    pub count: u32,
}

/// What was imported.
#[derive(Clone, PartialEq, prost::Message, Serialize, Deserialize)]
#[serde(default)]
pub struct Summary {
    /// The names, in the order in which they came.
    #[prost(string, repeated, tag = "1")]
    pub names: Vec<String>,
}

/// A stock of items.
#[polywire::service(package = "inventory.v1")]
pub trait Inventory {
    /// Looks one item up.
    #[rpc(idempotent)]
    async fn get(&self, cx: &Context, request: GetRequest) -> Result<Response<Item>, Status>;

    /// Lists items.
    async fn watch(&self, cx: &Context, request: WatchRequest) -> Result<Response<Streaming<Item>>, Status>;

    /// Takes items in.
    async fn import(&self, cx: &Context, items: Streaming<Item>) -> Result<Response<Summary>, Status>;

    /// Takes items in and says what became of each.
    async fn sync(&self, cx: &Context, items: Streaming<Item>) -> Result<Response<Streaming<Item>>, Status>;

    /// As `get`, in no more than 300 ms.
    #[rpc(timeout = "300ms")]
    async fn glance(&self, cx: &Context, request: GetRequest) -> Result<Response<Item>, Status>;

    /// As `get`, in no more than 1,024 bytes.
    #[rpc(max_message_bytes = 1024)]
    async fn label(&self, cx: &Context, request: GetRequest) -> Result<Response<Item>, Status>;
}

/// What a handler is told of a call beside its messages.
#[derive(Clone, Debug)]
pub struct Arrival {
    /// The metadata that came with it.
    pub metadata: Metadata,
    /// How long the caller waits.
    pub time_left: Option<Duration>,
    /// How its messages are encoded.
    pub codec: Option<Codec>,
    /// How they are compressed.
    pub compression: Option<Compression>,
    /// Who calls.
    pub caller: Option<Caller>,
}

impl From<&Context> for Arrival {
    fn from(cx: &Context) -> Self {
        Self {
            metadata: cx.metadata().clone(),
            time_left: cx.time_left(),
            codec: cx.codec(),
            compression: cx.compression(),
            caller: cx.caller().cloned(),
        }
    }
}

type Answer<O> = Pin<Box<dyn Future<Output = Result<Response<O>, Status>> + Send>>;
type Handler<I, O> = Arc<dyn Fn(Arrival, I) -> Answer<O> + Send + Sync>;

fn handler<I, O, R, F, A>(handle: F) -> Handler<I, O>
where
    F: Fn(Arrival, I) -> A + Send + Sync + 'static,
    A: Future<Output = Result<R, Status>> + Send + 'static,
    R: Into<Response<O>>,
{
    Arc::new(move |arrival, input| {
        let answer = handle(arrival, input);
        Box::pin(async move { answer.await.map(Into::into) })
    })
}

/// An [`Inventory`] that echoes, but for what a test scripts.
#[derive(Clone)]
pub struct Stock {
    get: Handler<GetRequest, Item>,
    watch: Handler<WatchRequest, Streaming<Item>>,
    import: Handler<Streaming<Item>, Summary>,
    sync: Handler<Streaming<Item>, Streaming<Item>>,
}

impl Stock {
    /// Echoes: `get` gives back name and picture, `watch` that many items, `import` the names, `sync` each
    /// item.
    #[expect(clippy::new_without_default, reason = "nothing takes a default of it")]
    pub fn new() -> Self {
        Self {
            get: handler(async |_, request: GetRequest| {
                Ok(Item { picture: request.picture, ..Item::named(request.name) })
            }),
            watch: handler(async |_, request: WatchRequest| {
                Ok(Streaming::from_iter((0..request.count).map(|number| Item::named(number.to_string()))))
            }),
            import: handler(async |_, mut items: Streaming<Item>| {
                let mut summary = Summary::default();
                while let Some(item) = items.message().await? {
                    summary.names.push(item.name);
                }
                Ok(summary)
            }),
            sync: handler(async |_, items: Streaming<Item>| Ok(Streaming::new(items.map(|item| item)))),
        }
    }

    /// Scripts `get`, `glance` and `label`.
    #[must_use]
    pub fn on_get<R, F, A>(mut self, handle: F) -> Self
    where
        F: Fn(Arrival, GetRequest) -> A + Send + Sync + 'static,
        A: Future<Output = Result<R, Status>> + Send + 'static,
        R: Into<Response<Item>>,
    {
        self.get = handler(handle);
        self
    }

    /// Scripts `watch`.
    #[must_use]
    pub fn on_watch<R, F, A>(mut self, handle: F) -> Self
    where
        F: Fn(Arrival, WatchRequest) -> A + Send + Sync + 'static,
        A: Future<Output = Result<R, Status>> + Send + 'static,
        R: Into<Response<Streaming<Item>>>,
    {
        self.watch = handler(handle);
        self
    }

    /// Scripts `import`.
    #[must_use]
    pub fn on_import<R, F, A>(mut self, handle: F) -> Self
    where
        F: Fn(Arrival, Streaming<Item>) -> A + Send + Sync + 'static,
        A: Future<Output = Result<R, Status>> + Send + 'static,
        R: Into<Response<Summary>>,
    {
        self.import = handler(handle);
        self
    }

    /// Scripts `sync`.
    #[must_use]
    pub fn on_sync<R, F, A>(mut self, handle: F) -> Self
    where
        F: Fn(Arrival, Streaming<Item>) -> A + Send + Sync + 'static,
        A: Future<Output = Result<R, Status>> + Send + 'static,
        R: Into<Response<Streaming<Item>>>,
    {
        self.sync = handler(handle);
        self
    }

    /// The stock as a server.
    pub fn server(self) -> InventoryServer<Self> {
        InventoryServer::new(self)
    }
}

impl Inventory for Stock {
    async fn get(&self, cx: &Context, request: GetRequest) -> Result<Response<Item>, Status> {
        (self.get)(cx.into(), request).await
    }

    async fn watch(&self, cx: &Context, request: WatchRequest) -> Result<Response<Streaming<Item>>, Status> {
        (self.watch)(cx.into(), request).await
    }

    async fn import(&self, cx: &Context, items: Streaming<Item>) -> Result<Response<Summary>, Status> {
        (self.import)(cx.into(), items).await
    }

    async fn sync(&self, cx: &Context, items: Streaming<Item>) -> Result<Response<Streaming<Item>>, Status> {
        (self.sync)(cx.into(), items).await
    }

    async fn glance(&self, cx: &Context, request: GetRequest) -> Result<Response<Item>, Status> {
        (self.get)(cx.into(), request).await
    }

    async fn label(&self, cx: &Context, request: GetRequest) -> Result<Response<Item>, Status> {
        (self.get)(cx.into(), request).await
    }
}
