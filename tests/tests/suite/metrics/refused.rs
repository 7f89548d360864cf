//! Calls that are refused before a service is asked, or whose answer cannot be sent: each counts once, as what its caller
//! is told.

use std::{collections::BTreeMap, time::Duration};

use bytes::Bytes;
use polywire::{
    Body, Call, Channel, Code, Codec, ConnectOptions, Context, Limits, Metadata, Method, Payload, Response,
    Service as _, Status, Streaming, Target,
    config::Loader,
    wire::{RequestCompression, put_end, put_message, put_request_head},
};
use polywire_tests::{
    http2::Http2,
    inventory::{GetRequest, InventoryClient, Item, Stock, WatchRequest},
    node::{Node, get},
    patience::{eventually, within},
};

use super::samples;
use crate::{iroh_transport::raw, node::ask, spec_client};

/// What a message of the node's may weigh on any transport, in bytes.
const LIMIT: usize = 4_096;

const TRANSPORTS: [&str; 6] = ["grpc", "iroh", "quic", "unix", "websocket", "memory"];

/// A node in this process that serves the stock over every transport.
struct All {
    targets: polywire::Targets,
    _data: tempfile::TempDir,
}

impl All {
    async fn open(stock: Stock) -> Self {
        let data = tempfile::tempdir().unwrap();
        let socket = data.path().join("node.sock");
        let name = format!("refused-{}", std::process::id());
        let mut loader = Loader::new()
            .flag("node.data_dir", data.path().join("data").to_str().unwrap())
            .flag("http.bind_address", "127.0.0.1:0")
            .flag("transport.grpc.bind_address", "127.0.0.1:0")
            .flag("transport.quic.bind_address", "127.0.0.1:0")
            .flag("transport.websocket.bind_address", "127.0.0.1:0")
            .flag("transport.unix.path", socket.to_str().unwrap())
            .flag("transport.memory.name", name);
        for transport in ["quic", "unix", "websocket", "memory"] {
            loader = loader.flag(format!("transport.{transport}.enabled"), "true");
        }
        for transport in TRANSPORTS {
            loader = loader.flag(format!("transport.{transport}.max_message_size"), LIMIT.to_string());
            if transport != "memory" {
                loader = loader.flag(format!("transport.{transport}.message_timeout"), "1s");
            }
        }
        let config = loader.load().unwrap().config;
        let node = polywire_services::node().service(stock.server()).config(config).bind().await.unwrap();
        let targets = node.targets().clone();
        tokio::spawn(node.serve(std::future::pending()));
        Self { targets, _data: data }
    }

    /// A way there that keeps no limits of its own.
    async fn connect(&self, transport: &str) -> Channel {
        let limits = Limits { max_message_bytes: 1 << 20, max_metadata_bytes: 1 << 16, ..Limits::default() };
        let target: Target = self.targets.get(transport).unwrap().parse().unwrap();
        target.connect(&ConnectOptions::new().limits(limits)).await.unwrap()
    }

    /// What was counted over this transport, by service, method and code.
    async fn counted(&self, transport: &str) -> BTreeMap<(String, String, String), u64> {
        let http = self.targets.http.as_deref().unwrap().trim_start_matches("http://");
        counted(&get(http, "/metrics", "*/*").await.unwrap().body, transport)
    }
}

fn counted(page: &str, transport: &str) -> BTreeMap<(String, String, String), u64> {
    let samples = samples(page);
    let calls = samples.iter().filter_map(|(series, count)| {
        let labels = series.strip_prefix("polywire_server_calls_total{")?.strip_suffix('}')?;
        let label = |name: &str| {
            labels.split(',').find_map(|label| {
                Some(label.strip_prefix(name)?.strip_prefix("=\"")?.strip_suffix('"')?.to_owned())
            })
        };
        let of_it = label("transport")? == transport && *count > 0.0;
        of_it.then(|| {
            ((label("service").unwrap(), label("method").unwrap(), label("code").unwrap()), *count as u64)
        })
    });
    calls.collect()
}

/// A stock whose answers are as large as the request asks.
fn stock() -> Stock {
    Stock::new()
        .on_get(async |_, request: GetRequest| match request.name.as_str() {
            "heavy" => {
                let mut trailers = Metadata::new();
                trailers.insert("heavy", "x".repeat(20_000)).unwrap();
                Ok(Response::new(Item::default()).with_trailers(trailers))
            }
            size => Ok(Response::new(Item::pictured(size.parse().unwrap_or(0)))),
        })
        .on_watch(async |_, request: WatchRequest| {
            Ok(Streaming::from_iter([Item::named("first"), Item::pictured(request.count as usize)]))
        })
}

const GET: &str = "/inventory.v1.Inventory/Get";
/// The unary method, called as if it took a stream.
const STREAMED: Method = Method::client_streaming(GET);
const UNKNOWN: Method = Method::unary("/inventory.v1.Inventory/Burn");

const GETS: (&str, &str) = ("inventory.v1.Inventory", "Get");

/// What is called, what its caller is told, what it counts as, and whether no handler has seen it.
const CASES: [(&str, Code, (&str, &str), bool); 10] = [
    ("a call that succeeds", Code::Ok, GETS, false),
    ("a request that is too large", Code::ResourceExhausted, GETS, true),
    ("metadata that is too heavy", Code::ResourceExhausted, GETS, true),
    ("a request that does not come", Code::DeadlineExceeded, GETS, true),
    ("two requests for one", Code::Unimplemented, GETS, true),
    ("a request that is no message", Code::InvalidArgument, GETS, true),
    ("a method that is not there", Code::Unimplemented, ("unknown", "unknown"), true),
    ("an answer that is too large", Code::ResourceExhausted, GETS, false),
    ("trailing metadata that is too heavy", Code::ResourceExhausted, GETS, false),
    (
        "a stream whose second answer is too large",
        Code::ResourceExhausted,
        ("inventory.v1.Inventory", "Watch"),
        false,
    ),
];

/// Makes the call, and gives what the caller is told.
async fn outcome(channel: Channel, case: &str) -> Result<(), Status> {
    let client = InventoryClient::new(channel.clone());
    let picture = |bytes: usize| GetRequest { picture: vec![0; bytes].into(), ..GetRequest::default() };
    let answered = match case {
        "a call that succeeds" => client.get(GetRequest::default()).await,
        "a request that is too large" => client.get(picture(10_000)).await,
        "metadata that is too heavy" => {
            client.get(GetRequest::default()).metadata("heavy", "x".repeat(16_500)).await
        }
        "a request that does not come" => {
            let (_open, requests) = Streaming::<GetRequest>::channel(1);
            Call::new(&channel, &STREAMED, Body::many(requests)).await
        }
        "two requests for one" => {
            let requests = Streaming::from_iter([GetRequest::default(), GetRequest::default()]);
            Call::new(&channel, &STREAMED, Body::many(requests)).await
        }
        "a request that is no message" => {
            let caller = polywire::Caller::new("test");
            let cx = Context::incoming(GET, caller.into())?.with_codec(Codec::Protobuf);
            let junk = Payload::encoded(Codec::Protobuf, Bytes::from_static(&[0x0a, 5, b'x']));
            return channel.unary(cx, junk).await.map(|_| ());
        }
        "a method that is not there" => Call::new(&channel, &UNKNOWN, Body::one(GetRequest::default())).await,
        "an answer that is too large" => client.get(GetRequest::named("10000")).await,
        "trailing metadata that is too heavy" => client.get(GetRequest::named("heavy")).await,
        _ => {
            let mut items = client.watch(WatchRequest { count: 10_000 }).await?;
            items.message().await?;
            return items.message().await.map(|_| ());
        }
    };
    answered.map(|_: Item| ())
}

#[tokio::test(flavor = "multi_thread")]
async fn each_call_that_reaches_a_listener_counts_once_as_what_its_caller_is_told() {
    let node = All::open(stock()).await;
    for transport in TRANSPORTS {
        for (case, code, (service, method), unseen) in CASES {
            // In a process of its own a caller may wait for longer than the node does.
            if (transport, case) == ("memory", "a request that does not come") {
                continue;
            }
            let place = format!("{case}, over {transport}");
            let mut expected = node.counted(transport).await;
            let channel = node.connect(transport).await;
            let outcome = within(outcome(channel, case)).await;
            let found = outcome.as_ref().map_or_else(Status::code, |()| Code::Ok);
            assert_eq!(found, code, "{place}: {outcome:?}");
            let said = outcome.as_ref().is_err_and(Status::is_not_processed);
            // Of a peer that speaks gRPC it need not be known.
            assert!(said == unseen || (transport == "grpc" && !said), "{place}: {outcome:?}");
            let key = (service.to_owned(), method.to_owned(), code.name().to_owned());
            *expected.entry(key).or_default() += 1;
            let all: u64 = expected.values().sum();
            let now = eventually("the call counts", async || {
                Some(node.counted(transport).await).filter(|now| now.values().sum::<u64>() >= all)
            });
            assert_eq!(now.await, expected, "{place}");
        }
    }
}

fn one(service: &str, method: &str, code: Code) -> BTreeMap<(String, String, String), u64> {
    BTreeMap::from([((service.to_owned(), method.to_owned(), code.name().to_owned()), 1)])
}

const CHECK: &str = "/grpc.health.v1.Health/Check";
const HEALTH: &str = "grpc.health.v1.Health";

#[tokio::test(flavor = "multi_thread")]
async fn what_a_listener_refuses_by_its_own_rules_counts_as_that() {
    let flags = [
        "--transport.strategy.retired_on_grpc=health",
        "--transport.strategy.fallback_to_grpc=false",
        "--transport.iroh.alpn_protocols=x/status/1",
    ];
    let node = Node::start(&flags).await;
    let client = Http2::connect(node.grpc_address()).await;
    let retired = client.call(CHECK, &[], &ask("")).await;
    assert_eq!(retired.grpc_status(), Code::Unimplemented.number());
    let page = node.get("/metrics").await.body;
    assert_eq!(counted(&page, "grpc"), one(HEALTH, "Check", Code::Unimplemented));

    let json = [("content-type", "application/json")];
    let refused = client.request(http::Method::POST, CHECK, &json, Bytes::from_static(b"{}")).await;
    assert_eq!(refused.status, 415);
    let late = client.call(CHECK, &[("grpc-timeout", "soon")], &ask("")).await;
    assert_eq!(late.grpc_status(), Code::Internal.number());
    let cbor = [("content-type", "application/grpc+cbor"), ("te", "trailers")];
    let unknown = client.request(http::Method::POST, "/nowhere.v1.No/Where", &cbor, Bytes::new()).await;
    assert_eq!(unknown.grpc_status(), Code::Unimplemented.number());
    assert_eq!(unknown.headers.get("accept-codec").unwrap(), "protobuf,msgpack");
    let mut expected = one(HEALTH, "Check", Code::Unimplemented);
    expected.extend(one(HEALTH, "Check", Code::Unknown));
    expected.extend(one(HEALTH, "Check", Code::Internal));
    expected.extend(one("unknown", "unknown", Code::Unimplemented));
    assert_eq!(counted(&node.get("/metrics").await.body, "grpc"), expected);

    let (connection, _endpoint) = spec_client::connect(&node, "x/status/1").await;
    let mut call = bytes::BytesMut::new();
    let compression = RequestCompression::default();
    put_request_head(&mut call, CHECK, Codec::Protobuf, true, None, compression, &Metadata::new());
    let message = Payload::new(ask(""));
    put_message(&mut call, 1 << 10, |buffer| message.encode(Codec::Protobuf, buffer)).unwrap();
    put_end(&mut call);
    let (_send, recv) = raw::open(&connection, &call, true).await;
    assert_eq!(raw::ending(recv).await, raw::Ending::Status(Code::PermissionDenied));
    // No head at all: nothing is known of the call.
    let (_send, recv) = raw::open(&connection, &[0x7f], true).await;
    assert_eq!(raw::ending(recv).await, raw::Ending::Status(Code::Unimplemented));
    let mut expected = one(HEALTH, "Check", Code::PermissionDenied);
    expected.extend(one("unknown", "unknown", Code::Unimplemented));
    assert_eq!(counted(&node.get("/metrics").await.body, "iroh"), expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_whose_time_is_over_when_it_arrives_counts_as_that() {
    let node = Node::start(&[]).await;
    let client = Http2::connect(node.grpc_address()).await;
    for timeout in ["0n", "0S"] {
        let over = client.call(CHECK, &[("grpc-timeout", timeout)], &ask("")).await;
        assert_eq!(over.grpc_status(), Code::DeadlineExceeded.number(), "{timeout}");
    }
    let (connection, _endpoint) = spec_client::connect(&node, "polywire/1").await;
    let mut call = bytes::BytesMut::new();
    let compression = RequestCompression::default();
    let over = Some(Duration::ZERO);
    put_request_head(&mut call, CHECK, Codec::Protobuf, true, over, compression, &Metadata::new());
    let message = Payload::new(ask(""));
    put_message(&mut call, 1 << 10, |buffer| message.encode(Codec::Protobuf, buffer)).unwrap();
    put_end(&mut call);
    let (_send, recv) = raw::open(&connection, &call, true).await;
    assert_eq!(raw::ending(recv).await, raw::Ending::Status(Code::DeadlineExceeded));
    let page = node.get("/metrics").await.body;
    let twice =
        BTreeMap::from_iter(one(HEALTH, "Check", Code::DeadlineExceeded).into_keys().map(|key| (key, 2)));
    assert_eq!(counted(&page, "grpc"), twice);
    assert_eq!(counted(&page, "iroh"), one(HEALTH, "Check", Code::DeadlineExceeded));
}
