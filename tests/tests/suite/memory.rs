//! Calls within the process.

use bytes::Bytes;
use polywire::{
    ConnectOptions, Context, Drain, Status, Target,
    config::Loader,
    memory::{Config, Memory},
    transport::{BindContext, Bound as _, Serving, Transport as _},
};
use polywire_tests::inventory::Item;

#[polywire::service(package = "tests.v1")]
trait Mirror {
    /// Gives the item back, named by the transport that it came over.
    async fn reflect(&self, cx: &Context, item: Item) -> Result<Item, Status>;
}

struct Glass;

impl Mirror for Glass {
    async fn reflect(&self, cx: &Context, item: Item) -> Result<Item, Status> {
        Ok(Item { name: cx.transport().to_owned(), ..item })
    }
}

/// Binds the name and serves it until the drain is over.
async fn serve(name: &str, drain: &Drain) -> tokio::task::JoinHandle<()> {
    let server = MirrorServer::new(Glass);
    let node = BindContext::new([7; 32], server.clone());
    let bound = Memory.bind(Config { name: name.to_owned(), ..Config::default() }, node).await.unwrap();
    tokio::spawn(bound.serve(Serving::new(server, drain.clone())))
}

async fn client(target: &str) -> MirrorClient {
    let target: Target = target.parse().unwrap();
    MirrorClient::new(target.connect(&ConnectOptions::new()).await.unwrap())
}

#[tokio::test]
async fn what_is_sent_is_what_arrives_and_not_a_copy_of_it() {
    let drain = Drain::new();
    let serving = serve("no-copy", &drain).await;
    let picture = Bytes::from(vec![1; 1 << 20]);
    let item = Item { picture: picture.clone(), ..Item::default() };
    let back = client("memory://no-copy").await.reflect(item).await.unwrap();
    assert_eq!((back.name.as_str(), back.picture.as_ptr()), ("memory", picture.as_ptr()));
    drain.stop();
    serving.await.unwrap();
}

#[tokio::test]
async fn a_message_is_measured_as_protobuf_and_refused_over_the_limit() {
    let drain = Drain::new();
    let _serving = serve("limited", &drain).await;
    let status = client("memory://limited").await.reflect(Item::pictured(5 << 20)).await.unwrap_err();
    assert_eq!(status.code(), polywire::Code::ResourceExhausted);
    assert!(status.message().contains("larger than the limit of 4194304 bytes"), "{status}");
}

#[tokio::test]
async fn a_name_is_bound_once_and_found_again_by_the_same_channel() {
    let client = client("memory://phoenix").await;
    let nobody = client.reflect(Item::default()).await.unwrap_err();
    assert!(nobody.is_not_processed() && nobody.message().contains("memory://phoenix"), "{nobody}");
    for _ in 0..2 {
        let drain = Drain::new();
        let serving = serve("phoenix", &drain).await;
        let node = BindContext::new([7; 32], MirrorServer::new(Glass));
        let twice = Memory.bind(Config { name: "phoenix".to_owned(), ..Config::default() }, node).await;
        let twice = twice.unwrap_err().to_string();
        assert!(twice.contains("transport.memory.name") && twice.contains("bound already"), "{twice}");
        client.reflect(Item::default()).await.unwrap();
        drain.stop();
        serving.await.unwrap();
    }
    assert!(client.reflect(Item::default()).await.unwrap_err().is_not_processed());
}

#[tokio::test]
async fn a_node_serves_over_memory_where_its_section_is_enabled() {
    let data = tempfile::tempdir().unwrap();
    let loaded = Loader::new()
        .text("node.toml", "[transport.memory]\nenabled = true\nname = \"side-by-side\"")
        .flag("transport.grpc.bind_address", "127.0.0.1:0")
        .flag("transport.mode", "grpc")
        .flag("http.enabled", "false")
        .flag("node.data_dir", data.path().to_str().unwrap())
        .load()
        .unwrap();
    assert!(loaded.config.to_toml().unwrap().contains("\nname = \"side-by-side\"\n"));
    let node = polywire::Node::builder().service(MirrorServer::new(Glass)).config(loaded.config);
    let node = node.bind().await.unwrap();
    assert_eq!(node.targets().get("memory"), Some("memory://side-by-side"));
    let router = node.parts().router.clone();
    let serving = tokio::spawn(node.serve(std::future::pending()));
    let client = client("memory://side-by-side").await;
    assert_eq!(client.reflect(Item::default()).await.unwrap().name, "memory");
    assert!(router.remove("tests.v1.Mirror"));
    let removed = client.reflect(Item::default()).await.unwrap_err();
    assert_eq!(removed.code(), polywire::Code::Unimplemented);
    router.add(MirrorServer::new(Glass));
    assert!(client.reflect(Item::default()).await.is_ok());
    serving.abort();
}

#[test]
fn what_is_wrong_in_the_section_of_a_registered_transport_is_said_where_it_is() {
    let load = |text: &str| Loader::new().text("node.toml", text).load().unwrap_err().to_string();
    let unknown = load("[transport.memory]\nenable = true");
    assert!(unknown.contains("node.toml:2:1: transport.memory.enable: unknown key"), "{unknown}");
    assert!(unknown.contains("did you mean `transport.memory.enabled`?"), "{unknown}");
    let mistyped = load("[transport.memory]\nenabled = 1");
    assert!(mistyped.contains("transport.memory.enabled: expected true or false, found 1"), "{mistyped}");
    let range = load("[transport.memory]\nmax_message_size = 0");
    assert!(range.contains("transport.memory.max_message_size: expected a number of bytes"), "{range}");
    let no_section = load("transport.memory = 1");
    assert!(no_section.contains("expected a section [transport.memory], found 1"), "{no_section}");
}
