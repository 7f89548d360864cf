//! The transport beside those that are shipped, on one node.

// Clippy's leave for tests covers their functions, not those that they share.
#![allow(clippy::unwrap_used)]

use std::{
    fmt, io,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

use polywire::{
    ConnectOptions, Node, Status,
    config::Loader,
    observer::{Observer, Sample, SampleKind},
    transport::{
        BindContext, BindError, Checks, Scheme,
        framed::{Handshake, Listener, Listening, StreamTransport},
    },
};
use polywire_tcp::{Acceptor, Tcp, TcpAddress, TcpConfig};
use polywire_tests::{
    node::{FREE_PORTS, get},
    patience::{eventually, within},
};
use tokio::process::Command;

const BINARY: &str = env!("CARGO_BIN_EXE_polywire-tcp");

#[tokio::test]
async fn a_node_serves_tcp_beside_grpc_and_iroh_and_each_is_called_by_its_target() {
    let flags = ["--transport.tcp.enabled=true", "--transport.tcp.bind_address=127.0.0.1:0"];
    let flags = FREE_PORTS.into_iter().chain(flags);
    let node = polywire_tests::node::Node::start_with(Command::new(BINARY), flags).await;
    let tcp = node.target("tcp");
    assert!(tcp.starts_with("tcp://127.0.0.1:"), "{tcp}");
    for target in [node.grpc(), node.iroh(), tcp] {
        let mut call = Command::new(BINARY);
        call.args(["call", target, "grpc.health.v1.Health/Check"]).kill_on_drop(true);
        let output = within(call.output()).await.unwrap();
        let said = String::from_utf8_lossy(&output.stdout);
        let failed = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && said.contains("\"SERVING\""), "{target}: {said}{failed}");
    }
    let metrics = node.get("/metrics").await.body;
    for transport in ["grpc", "iroh", "tcp"] {
        let counted = metrics.lines().any(|line| {
            line.starts_with("polywire_server_calls_total")
                && line.contains(&format!("transport=\"{transport}\""))
        });
        assert!(counted, "{transport}: {metrics}");
    }
}

/// TCP, whose listener tells the node of itself.
#[derive(Clone, Default)]
struct Counted {
    failing: Arc<AtomicBool>,
}

#[derive(Clone, Debug)]
struct CountedAddress(TcpAddress);

impl fmt::Display for CountedAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.to_string().replacen("tcp://", "counted://", 1))
    }
}

polywire::section! {
    /// TCP, counted.
    pub struct CountedConfig {
        /// Whether the node serves over it.
        pub enabled: bool = false,
    }
}

struct Counting {
    inner: Acceptor,
    accepted: Arc<AtomicU64>,
    failing: Arc<AtomicBool>,
}

impl StreamTransport for Counted {
    type Config = CountedConfig;
    type Address = CountedAddress;
    type Connection = <Tcp as StreamTransport>::Connection;
    type Listener = Counting;

    fn name(&self) -> &'static str {
        "counted"
    }

    fn schemes(&self) -> &'static [Scheme] {
        &[Scheme { name: "counted", form: "counted://host:port" }]
    }

    fn parse(&self, scheme: &'static str, rest: &str) -> Result<CountedAddress, String> {
        StreamTransport::parse(&Tcp, scheme, rest).map(CountedAddress)
    }

    async fn dial(
        &self,
        address: &CountedAddress,
        options: &ConnectOptions,
    ) -> Result<Self::Connection, Status> {
        Tcp.dial(&address.0, options).await
    }

    async fn listen(&self, _: CountedConfig, node: BindContext) -> Result<Listening<Counting>, BindError> {
        let config = TcpConfig { bind_address: ([127, 0, 0, 1], 0).into(), ..TcpConfig::default() };
        let Listening { listener, target, options } = Tcp.listen(config, node).await?;
        let accepted = Arc::default();
        let listener = Counting { inner: listener, accepted, failing: self.failing.clone() };
        Ok(Listening { listener, target: target.replacen("tcp://", "counted://", 1), options })
    }
}

impl Listener for Counting {
    type Connection = <Acceptor as Listener>::Connection;

    async fn accept(&mut self) -> io::Result<Option<Handshake<Self::Connection>>> {
        let attempt = self.inner.accept().await?;
        self.accepted.fetch_add(1, Ordering::SeqCst);
        Ok(attempt)
    }

    fn register(&mut self, checks: Option<&dyn Checks>, observer: Option<&dyn Observer>) {
        let failing = self.failing.clone();
        let check = move || {
            let failing = failing.load(Ordering::SeqCst);
            let outcome = async move { if failing { Err("out of order".to_owned()) } else { Ok(()) } };
            Box::pin(outcome) as Pin<Box<dyn Future<Output = _> + Send>>
        };
        checks.unwrap().register("counted".to_owned(), Box::new(check));
        let accepted = self.accepted.clone();
        let samples = move || {
            vec![Sample {
                name: "counted_accepted_total".to_owned(),
                help: "Connections that were accepted.".to_owned(),
                kind: SampleKind::Counter,
                labels: Vec::new(),
                value: accepted.load(Ordering::SeqCst) as f64,
            }]
        };
        observer.unwrap().collect(Box::new(samples)).unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_transport_is_part_of_its_nodes_health_and_metrics() {
    let counted = Counted::default();
    let failing = counted.failing.clone();
    polywire::transport::register(counted).unwrap();
    let data = tempfile::tempdir().unwrap();
    let config = Loader::new()
        .flag("node.data_dir", data.path().display().to_string())
        .flag("http.bind_address", "127.0.0.1:0")
        .flag("health.check_interval", "50ms")
        .flag("transport.mode", "grpc")
        .flag("transport.grpc.bind_address", "127.0.0.1:0")
        .flag("transport.counted.enabled", "true")
        .load()
        .unwrap()
        .config;
    let node = Node::builder().config(config).bind().await.unwrap();
    let http = node.targets().http.as_deref().unwrap().trim_start_matches("http://").to_owned();
    let target: polywire::Target = node.targets().get("counted").unwrap().parse().unwrap();
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let serving = tokio::spawn(node.serve(async { drop(stopped.await) }));
    let ready = async |status: u16, line: &str| {
        let what = format!("{status} and {line:?}");
        eventually(&what, async || {
            let page = get(&http, "/readyz?verbose", "*/*").await?;
            (page.status == status && page.body.contains(line)).then_some(())
        })
        .await;
    };
    ready(200, "counted: ok").await;
    failing.store(true, Ordering::SeqCst);
    ready(503, "out of order").await;
    failing.store(false, Ordering::SeqCst);
    ready(200, "counted: ok").await;

    let channel = target.connect(&ConnectOptions::new()).await.unwrap();
    let health = polywire_services::health::HealthClient::new(channel);
    // Whatever the answer is, a connection was made for it.
    let _ = health.check(Default::default()).await;
    let metrics = get(&http, "/metrics", "*/*").await.unwrap().body;
    assert!(metrics.contains("counted_accepted_total 1"), "{metrics}");
    drop(stop);
    within(serving).await.unwrap().unwrap();
}
