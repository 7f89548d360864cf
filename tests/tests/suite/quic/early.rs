use std::{
    future::IntoFuture,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use super::{Server, one_way::OneWay};
use polywire::{
    Channel, ConnectOptions, Context, Response, ServiceExt as _, Target,
    quic::{Config, EarlyData},
};
use polywire_tests::{
    inventory::{GetRequest, InventoryClient, Item, Stock},
    patience::{eventually, settled, within},
};

/// The same service to one who takes `label` for idempotent.
mod mistaken {
    use polywire::Status;
    use polywire_tests::inventory::{GetRequest, Item};

    #[polywire::service(package = "inventory.v1")]
    pub(super) trait Inventory {
        #[rpc(idempotent)]
        async fn label(&self, request: GetRequest) -> Result<Item, Status>;
    }
}

/// How long nothing must happen that could.
const QUIET: Duration = Duration::from_millis(300);

/// Which handlers have run how often.
#[derive(Clone, Default)]
struct Ran {
    gets: Arc<AtomicUsize>,
    labels: Arc<AtomicUsize>,
}

impl Ran {
    fn stock(&self) -> Stock {
        let ran = self.clone();
        Stock::new().on_get(move |_, request| {
            let counter = if request.name == "label" { &ran.labels } else { &ran.gets };
            counter.fetch_add(1, Ordering::SeqCst);
            async move { Ok(Item::named(request.name)) }
        })
    }

    fn gets(&self) -> usize {
        self.gets.load(Ordering::SeqCst)
    }

    fn labels(&self) -> usize {
        self.labels.load(Ordering::SeqCst)
    }
}

fn zero_rtt() -> Config {
    Config { bind_address: "127.0.0.1:0".parse().unwrap(), zero_rtt: true, ..Config::default() }
}

/// A new connection to the server over this way.
async fn channel(server: &Server, way: SocketAddr, early_data: &EarlyData) -> Channel {
    let (_, key) = server.target.split_once('?').unwrap();
    let target: Target = format!("quic://{way}?{key}").parse().unwrap();
    target.connect(&ConnectOptions::new().with(early_data.clone())).await.unwrap()
}

fn address(server: &Server) -> SocketAddr {
    server.target.trim_start_matches("quic://").split_once('?').unwrap().0.parse().unwrap()
}

/// Speaks to the server once, so that it gives what early data need.
async fn make_known(server: &Server, way: SocketAddr, early_data: &EarlyData) {
    let client = InventoryClient::new(channel(server, way, early_data).await);
    client.get(GetRequest::named("first")).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn only_idempotent_methods_see_what_arrives_early_and_others_wait_for_the_handshake() {
    let ran = Ran::default();
    let server = Server::start_with(ran.stock().server(), zero_rtt()).await;
    let way = OneWay::to(address(&server)).await;
    let early_data = EarlyData::new();
    make_known(&server, way.address, &early_data).await;

    way.answers.send(false).unwrap();
    let channel = channel(&server, way.address, &early_data).await;
    let label = mistaken::InventoryClient::new(channel.clone());
    let label = tokio::spawn(async move { label.label(GetRequest::named("label")).await });
    let get = InventoryClient::new(channel);
    let get = tokio::spawn(async move { get.get(GetRequest::named("get")).await });
    eventually("the early call is handled", async || (ran.gets() == 2).then_some(())).await;
    assert_eq!(settled(QUIET, || ran.labels()).await, 0, "it may be a replay");

    way.answers.send(true).unwrap();
    assert_eq!(within(label).await.unwrap().unwrap().name, "label");
    assert_eq!(within(get).await.unwrap().unwrap().name, "get");
    assert_eq!((ran.gets(), ran.labels()), (2, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_arrived_early_never_reaches_another_method_when_the_handshake_fails() {
    let ran = Ran::default();
    let config = Config {
        idle_timeout: Duration::from_millis(500),
        keep_alive_interval: Duration::from_millis(100),
        ..zero_rtt()
    };
    let server = Server::start_with(ran.stock().server(), config).await;
    let way = OneWay::to(address(&server)).await;
    let early_data = EarlyData::new();
    make_known(&server, way.address, &early_data).await;

    way.answers.send(false).unwrap();
    let channel = channel(&server, way.address, &early_data).await;
    let label = mistaken::InventoryClient::new(channel.clone());
    let label = tokio::spawn(async move { label.label(GetRequest::named("label")).await });
    let get = InventoryClient::new(channel);
    let get = tokio::spawn(async move { get.get(GetRequest::named("get")).await });
    eventually("the early call is handled", async || (ran.gets() == 2).then_some(())).await;
    // The callers are gone, and the handshake cannot end without them.
    label.abort();
    get.abort();
    way.pump.abort();
    eventually("the connection is given up", async || (server.connections() == 0).then_some(())).await;
    assert_eq!(settled(QUIET, || ran.labels()).await, 0, "it may be a replay");
}

/// A stock to which `label` is idempotent.
#[derive(Clone)]
struct Mistaken(Stock);

impl mistaken::Inventory for Mistaken {
    async fn label(&self, request: GetRequest) -> Result<Item, polywire::Status> {
        use polywire_tests::inventory::Inventory;
        self.0.label(&Context::new(), request).await.map(Response::into_message)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_sends_nothing_early_that_it_does_not_know_to_be_idempotent() {
    let ran = Ran::default();
    let server =
        Server::start_with(mistaken::InventoryServer::new(Mistaken(ran.stock())).into_channel(), zero_rtt())
            .await;
    let way = OneWay::to(address(&server)).await;
    let early_data = EarlyData::new();
    let known = mistaken::InventoryClient::new(channel(&server, way.address, &early_data).await);
    known.label(GetRequest::named("label")).await.unwrap();
    drop(known);

    way.answers.send(false).unwrap();
    let client = InventoryClient::new(channel(&server, way.address, &early_data).await);
    let label = tokio::spawn(async move { client.label(GetRequest::named("label")).await });
    assert_eq!(settled(QUIET, || ran.labels()).await, 1);
    assert_eq!(way.early(), 0);
    way.answers.send(true).unwrap();
    within(label).await.unwrap().unwrap();
    assert_eq!(ran.labels(), 2);

    // What it does know is sent early over the same way.
    way.answers.send(false).unwrap();
    let client = mistaken::InventoryClient::new(channel(&server, way.address, &early_data).await);
    let label = tokio::spawn(async move { client.label(GetRequest::named("label")).await });
    eventually("the call is sent early", async || (way.early() > 0).then_some(())).await;
    way.answers.send(true).unwrap();
    within(label).await.unwrap().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_the_server_does_not_take_early_is_made_again_after_the_handshake() {
    let ran = Ran::default();
    let server = Server::start_with(ran.stock().server(), zero_rtt()).await;
    let early_data = EarlyData::new();
    let way = OneWay::to(address(&server)).await;
    make_known(&server, way.address, &early_data).await;
    assert_eq!(way.early(), 0, "nothing is sent early to a server that is not known");
    // One that has the same key and knows nothing of the callers of the other.
    let successor = Server::start_with(ran.stock().server(), Config { zero_rtt: false, ..zero_rtt() }).await;
    let way = OneWay::to(address(&successor)).await;
    way.answers.send(false).unwrap();
    let client = InventoryClient::new(channel(&successor, way.address, &early_data).await);
    let again = tokio::spawn(async move { client.get(GetRequest::named("again")).await });
    eventually("the call is sent early", async || (way.early() > 0).then_some(())).await;
    assert_eq!(settled(QUIET, || ran.gets()).await, 1, "what is not taken early reaches no handler");

    way.answers.send(true).unwrap();
    assert_eq!(within(again).await.unwrap().unwrap().name, "again");
    assert_eq!(ran.gets(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_silent_costs_an_early_call_the_connect_timeout() {
    let server = Server::start_with(Stock::new().server(), zero_rtt()).await;
    let way = OneWay::to(address(&server)).await;
    let early_data = EarlyData::new();
    make_known(&server, way.address, &early_data).await;
    way.answers.send(false).unwrap();
    let (_, key) = server.target.split_once('?').unwrap();
    let target: Target = format!("quic://{}?{key}", way.address).parse().unwrap();
    let options = ConnectOptions::new().connect_timeout(Duration::from_millis(300)).with(early_data);
    let client = InventoryClient::new(target.connect(&options).await.unwrap());
    let begun = std::time::Instant::now();
    let status = within(client.get(GetRequest::default()).into_future()).await.unwrap_err();
    assert_eq!(status.code(), polywire::Code::Unavailable, "{status}");
    assert!(begun.elapsed() < Duration::from_secs(3), "{:?}", begun.elapsed());
    assert!(way.early() > 0, "the call was not sent early");
}
