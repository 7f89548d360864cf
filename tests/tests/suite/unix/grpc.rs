//! gRPC over a Unix socket, beside our own protocol: which one a client speaks shows in its first byte.

use std::{path::Path, sync::Arc, time::Duration};

use hyper_util::rt::TokioIo;
use polywire::{
    Code, ConnectOptions, Drain, Limits, Response, Status, Target,
    grpc::Connection,
    transport::{BindContext, Bound as _, ConnectionGauge, Serving, Transport as _},
    unix::{Config, Unix},
};
use polywire_tests::{
    inventory::{GetRequest, InventoryClient, Item, Stock},
    node::Node,
    patience::{eventually, within},
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::UnixStream,
    sync::Semaphore,
    task::JoinHandle,
};
use tonic::transport::{Channel, Endpoint, Uri};

use super::{DoorClient, DoorServer, Porter, knocked};
use crate::python::run_against;

/// How long a client may take for its first bytes where a test has to see that it is over.
const SHORT: Duration = Duration::from_millis(300);

/// What a client of HTTP/2 sends first.
const OPENING: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";

/// Serves this on a socket in a directory of its own.
struct Served {
    directory: tempfile::TempDir,
    drain: Drain,
    connections: Arc<std::sync::atomic::AtomicUsize>,
    serving: JoinHandle<()>,
}

impl Served {
    async fn with(service: impl polywire::Service, config: Config) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let config = Config { path: directory.path().join("grpc.sock"), ..config };
        let service = polywire::Channel::new(service);
        let bound = Unix.bind(config, BindContext::new([7; 32], service.clone())).await.unwrap();
        let (drain, connections) = (Drain::new(), Arc::default());
        let gauge: Arc<dyn ConnectionGauge> = Arc::clone(&connections) as _;
        let serving = Serving::new(service, drain.clone()).connections(gauge);
        let serving = tokio::spawn(bound.serve(serving));
        Self { directory, drain, connections, serving }
    }

    fn path(&self) -> std::path::PathBuf {
        self.directory.path().join("grpc.sock")
    }

    async fn connect(&self) -> UnixStream {
        UnixStream::connect(self.path()).await.unwrap()
    }

    fn connections(&self) -> usize {
        self.connections.load(std::sync::atomic::Ordering::Relaxed)
    }
}

/// tonic's own client on a socket.
async fn tonic(path: &Path) -> Channel {
    let path = path.to_owned();
    let connector = tower::service_fn(move |_: Uri| {
        let path = path.clone();
        async move { UnixStream::connect(path).await.map(TokioIo::new) }
    });
    Endpoint::from_static("http://localhost").connect_with_connector(connector).await.unwrap()
}

/// Whether the server has hung up, without a word that a client of HTTP/2 would read as an answer.
async fn is_hung_up(mut stream: UnixStream) {
    let mut rest = Vec::new();
    // What was not read when it was closed makes it a reset.
    let _ = within(stream.read_to_end(&mut rest)).await;
}

#[tokio::test]
async fn a_grpc_client_and_our_own_are_the_same_caller_on_one_socket() {
    let served = Served::with(DoorServer::new(Porter), Config::default()).await;
    let foreign = DoorClient::new(Connection::new(tonic(&served.path()).await));
    let target: Target = format!("unix://{}", served.path().display()).parse().unwrap();
    let own = DoorClient::new(target.connect(&ConnectOptions::new()).await.unwrap());
    let expected = knocked();
    assert_eq!(foreign.knock(Item::default()).await.unwrap().name, expected);
    assert_eq!(own.knock(Item::default()).await.unwrap().name, expected);
    assert_eq!(served.connections(), 2);
    drop((foreign, own));
    eventually("both are counted out", async || (served.connections() == 0).then_some(())).await;
}

#[tokio::test]
async fn the_limit_on_messages_holds_for_grpc() {
    let config = Config { max_message_size: 1_000, ..Config::default() };
    let served = Served::with(Stock::new().server(), config).await;
    let limits = Limits { max_message_bytes: 1 << 20, ..Limits::default() };
    let client = InventoryClient::new(Connection::new(tonic(&served.path()).await).limits(limits));
    assert_eq!(client.get(GetRequest::named("anvil")).await.unwrap().name, "anvil");
    let refused = client.get(GetRequest::named("a".repeat(1_001))).await.unwrap_err();
    assert_eq!(refused.code(), Code::ResourceExhausted, "{refused}");
}

#[tokio::test]
async fn connections_over_the_limit_are_refused_whatever_they_speak() {
    let served =
        Served::with(Stock::new().server(), Config { max_connections: 1, ..Config::default() }).await;
    let client = InventoryClient::new(Connection::new(tonic(&served.path()).await));
    client.get(GetRequest::named("anvil")).await.unwrap();
    let mut second = served.connect().await;
    // The server may hang up before this arrives.
    let _ = second.write_all(OPENING).await;
    is_hung_up(second).await;
    client.get(GetRequest::named("anvil")).await.unwrap();
}

#[tokio::test]
async fn a_client_that_stalls_in_its_first_bytes_is_hung_up_on_and_holds_up_no_other() {
    let config = Config { handshake_timeout: SHORT, ..Config::default() };
    let served = Served::with(Stock::new().server(), config).await;
    for sent in
        [&b""[..], b"P", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", &OPENING[..OPENING.len() - 1], b"p", b"polymux"]
    {
        let mut stalled = served.connect().await;
        stalled.write_all(sent).await.unwrap();
        let client = InventoryClient::new(Connection::new(tonic(&served.path()).await));
        client.get(GetRequest::named("anvil")).await.unwrap();
        is_hung_up(stalled).await;
    }
}

#[tokio::test]
async fn an_opening_that_comes_byte_by_byte_is_answered() {
    let served = Served::with(Stock::new().server(), Config::default()).await;
    let mut slow = served.connect().await;
    for byte in OPENING {
        slow.write_all(&[*byte]).await.unwrap();
        slow.flush().await.unwrap();
        tokio::task::yield_now().await;
    }
    let mut head = [0; 9];
    within(slow.read_exact(&mut head)).await.unwrap();
    assert_eq!(head[3], 4, "the server's SETTINGS: {head:?}");
}

#[tokio::test]
async fn what_is_neither_protocol_is_hung_up_on_at_once() {
    let served = Served::with(Stock::new().server(), Config::default()).await;
    let long = vec![b'P'; 100_000];
    for sent in
        [&b"POST / HTTP/1.1\r\n\r\n"[..], b"GET / HTTP/1.1\r\n\r\n", b"\x16\x03\x01", b"polymuX1", &long]
    {
        let mut stream = served.connect().await;
        // The server may hang up half way.
        let _ = stream.write_all(sent).await;
        is_hung_up(stream).await;
    }
    let client = InventoryClient::new(Connection::new(tonic(&served.path()).await));
    client.get(GetRequest::named("anvil")).await.unwrap();
}

#[tokio::test]
async fn a_drain_waits_for_a_grpc_call_in_flight_and_takes_no_new_one() {
    let (begun, go_on) = (Arc::new(Semaphore::new(0)), Arc::new(Semaphore::new(0)));
    let stock = Stock::new().on_get({
        let (begun, go_on) = (begun.clone(), go_on.clone());
        move |_, request: GetRequest| {
            let (begun, go_on) = (begun.clone(), go_on.clone());
            async move {
                begun.add_permits(1);
                go_on.acquire().await.unwrap().forget();
                Ok::<Response<Item>, Status>(Item::named(request.name).into())
            }
        }
    });
    let Served { directory, drain, serving, .. } = Served::with(stock.server(), Config::default()).await;
    let path = directory.path().join("grpc.sock");
    let client = InventoryClient::new(Connection::new(tonic(&path).await));
    let in_flight = tokio::spawn({
        let client = client.clone();
        async move { client.get(GetRequest::named("anvil")).await }
    });
    within(begun.acquire()).await.unwrap().forget();
    drain.stop();
    let mut late = UnixStream::connect(&path).await.unwrap();
    let _ = late.write_all(OPENING).await;
    is_hung_up(late).await;
    assert!(!serving.is_finished() && !in_flight.is_finished());
    go_on.add_permits(1);
    assert_eq!(within(in_flight).await.unwrap().unwrap().name, "anvil");
    within(serving).await.unwrap();
    assert!(!path.exists(), "the socket is removed with its server");
}

#[tokio::test]
async fn a_cut_ends_a_grpc_call_in_flight() {
    let begun = Arc::new(Semaphore::new(0));
    let stock = Stock::new().on_get({
        let begun = begun.clone();
        move |_, _: GetRequest| {
            begun.add_permits(1);
            std::future::pending::<Result<Response<Item>, Status>>()
        }
    });
    let served = Served::with(stock.server(), Config::default()).await;
    let client = InventoryClient::new(Connection::new(tonic(&served.path()).await));
    let in_flight = tokio::spawn(async move { client.get(GetRequest::named("anvil")).await });
    within(begun.acquire()).await.unwrap().forget();
    served.drain.stop();
    served.drain.cut();
    within(served.serving).await.unwrap();
    within(in_flight).await.unwrap().unwrap_err();
}

#[tokio::test(flavor = "multi_thread")]
async fn pythons_grpcio_and_our_client_reach_a_node_by_one_socket() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("node.sock");
    let flag = format!("--transport.unix.path={}", path.display());
    let node = Node::start(&["--transport.unix.enabled=true", &flag]).await;
    let target: Target = node.target("unix").parse().unwrap();
    let channel = target.connect(&ConnectOptions::new()).await.unwrap();
    let health = polywire_services::health::HealthClient::new(channel);
    run_against("unix_socket.py", [("SOCKET_ADDRESS", &format!("unix:{}", path.display()))]).await;
    assert_eq!(health.check(Default::default()).await.unwrap().status, 1);
    let metrics = node.get("/metrics").await.body;
    let counted = metrics.lines().any(|line| {
        line.starts_with("polywire_server_calls_total{")
            && line.contains("method=\"Watch\"")
            && line.contains("transport=\"unix\"")
    });
    assert!(counted, "{metrics}");
}
