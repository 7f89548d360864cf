//! Names, metadata and codes that a peer makes up do not make the metrics grow.

use std::{
    collections::{BTreeMap, BTreeSet},
    convert::Infallible,
    future::{Ready, ready},
    hash::{BuildHasher as _, RandomState},
    task::{Context, Poll},
};

use bytes::{Bytes, BytesMut};
use futures_util::{StreamExt as _, stream};
use http::{Method, Request, Response};
use iroh::endpoint::Connection;
use polywire::{
    Code, Codec, Metadata,
    wire::{RequestCompression, put_end, put_message, put_request_head},
};
use polywire_tests::{http2::Http2, node::Node};
use tokio::net::TcpListener;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::body::Body;

use super::{samples, value};
use crate::{
    iroh_transport::raw::{Ending, ending, open},
    node::ask,
    spec_client,
};

/// How many calls are made over each transport.
const CALLS: usize = 2_000;

/// How many of them are under way at a time.
const AT_ONCE: usize = 16;

/// What every name begins with that is made up here.
const MARK: &str = "madeup";

/// So many numbers in a row are one call of each kind.
const KINDS: usize = 5;

/// A call that a client made up.
struct MadeUp {
    path: String,
    metadata: Vec<(String, String)>,
    body: Bytes,
    code: Code,
}

impl MadeUp {
    fn new(number: usize) -> Self {
        let random = |what: &str| format!("{MARK}{:x}", RandomState::new().hash_one((number, what)));
        let check = "/grpc.health.v1.Health/Check".to_owned();
        let asked = prost::Message::encode_to_vec(&ask(&random("asked")));
        let (path, body, code) = match number % KINDS {
            0 => (format!("/{}.v1.{}/{}", random("a"), random("b"), random("c")), asked, Code::Unimplemented),
            1 => (format!("/grpc.health.v1.Health/{}", random("method")), asked, Code::Unimplemented),
            2 => (format!("/{}", random("no method")).replace(' ', "-"), asked, Code::Unimplemented),
            3 => (check, asked, Code::NotFound),
            // A string that is said to be longer than what there is.
            _ => (check, vec![0x0a, 0x7f], Code::InvalidArgument),
        };
        let metadata = vec![(random("key"), random("value")), ("tenant".to_owned(), random("tenant"))];
        Self { path, metadata, body: body.into(), code }
    }

    async fn over_grpc(self, client: &Http2) {
        let fields = [("content-type", "application/grpc"), ("te", "trailers")];
        let own = self.metadata.iter().map(|(key, value)| (key.as_str(), value.as_str()));
        let fields: Vec<_> = fields.into_iter().chain(own).collect();
        let length = u32::try_from(self.body.len()).unwrap().to_be_bytes();
        let body = [&[0], &length[..], &self.body].concat();
        let answer = client.request(Method::POST, &self.path, &fields, body.into()).await;
        assert_eq!(Code::from_number(answer.grpc_status().into()), self.code, "{}", self.path);
    }

    async fn over_iroh(self, connection: &Connection) {
        let mut metadata = Metadata::new();
        for (key, value) in &self.metadata {
            metadata.insert(key, value.clone()).unwrap();
        }
        let mut call = BytesMut::new();
        let compression = RequestCompression::default();
        put_request_head(&mut call, &self.path, Codec::Protobuf, true, None, compression, &metadata);
        put_message(&mut call, 1 << 10, |buffer| {
            buffer.extend_from_slice(&self.body);
            Ok(())
        })
        .unwrap();
        put_end(&mut call);
        let (_send, recv) = open(connection, &call, true).await;
        assert_eq!(ending(recv).await, Ending::Status(self.code), "{}", self.path);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn thousands_of_calls_that_a_client_made_up_add_no_series() {
    let node = Node::start(&[]).await;
    let client = Http2::connect(node.grpc_address()).await;
    let (connection, _endpoint) = spec_client::connect(&node, "polywire/1").await;
    let attack = async |calls: usize| {
        let over_grpc = stream::iter(0..calls).map(|number| MadeUp::new(number).over_grpc(&client));
        let over_iroh = stream::iter(0..calls).map(|number| MadeUp::new(number).over_iroh(&connection));
        tokio::join!(
            over_grpc.buffer_unordered(AT_ONCE).collect::<()>(),
            over_iroh.buffer_unordered(AT_ONCE).collect::<()>()
        );
    };
    // Each kind of call once: from then on its series are there.
    attack(KINDS).await;
    let page = async || samples(&node.get("/metrics").await.body);
    let before = page().await;
    attack(CALLS).await;
    let after = page().await;
    let names = |page: &BTreeMap<String, f64>| page.keys().cloned().collect::<BTreeSet<_>>();
    let (known, now) = (names(&before), names(&after));
    assert_eq!(now.difference(&known).collect::<Vec<_>>(), Vec::<&String>::new());
    assert_eq!(now.iter().find(|series| series.contains(MARK)), None);
    for transport in ["grpc", "iroh"] {
        for (service, method, code, kinds) in [
            ("unknown", "unknown", "UNIMPLEMENTED", 3),
            ("grpc.health.v1.Health", "Check", "NOT_FOUND", 1),
            ("grpc.health.v1.Health", "Check", "INVALID_ARGUMENT", 1),
        ] {
            let labels = [("service", service), ("method", method), ("transport", transport), ("code", code)];
            let count = |page| value(page, "polywire_server_calls_total", &labels);
            let more = count(&after) - count(&before);
            assert_eq!(more, (CALLS / KINDS * kinds) as f64, "{labels:?}");
        }
    }
}

/// A server whose status is what its caller says, whatever that is.
#[derive(Clone)]
struct Liar;

impl tonic::server::NamedService for Liar {
    const NAME: &'static str = "liar.v1.Liar";
}

impl tower::Service<Request<Body>> for Liar {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Ready<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let status = &request.headers()["say"];
        let answer =
            Response::builder().header("content-type", "application/grpc").header("grpc-status", status);
        ready(Ok(answer.body(Body::empty()).unwrap()))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn codes_that_a_server_made_up_are_counted_as_unknown() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let target = format!("grpc://{}", listener.local_addr().unwrap());
    let server = tonic::transport::Server::builder().add_service(Liar);
    tokio::spawn(server.serve_with_incoming(TcpListenerStream::new(listener)));
    let gateway = crate::gateway::from_grpc(&target).await;
    let client = Http2::connect(gateway.grpc_address()).await;
    let made_up = (0..500).map(|number| match number % 4 {
        0 => (17 + RandomState::new().hash_one(number) % 1_000_000).to_string(),
        1 => (17 + RandomState::new().hash_one(number) / 2).to_string(),
        2 => format!("-{number}"),
        _ => format!("{MARK}{number}"),
    });
    let real = (1..=16_u8).map(|code| code.to_string());
    for status in made_up.chain(real) {
        let answer = client.call("/liar.v1.Liar/Lie", &[("say", &status)], &ask("")).await;
        let expected = status.parse().ok().filter(|code| *code <= 16).unwrap_or(Code::Unknown.number());
        assert_eq!(answer.grpc_status(), expected, "{status}");
    }
    let page = samples(&gateway.get("/metrics").await.body);
    let counted: Vec<_> =
        page.keys().filter(|series| series.starts_with("polywire_server_calls_total{")).collect();
    assert_eq!(counted.len(), Code::ALL.len(), "{counted:?}");
    for code in Code::ALL {
        let labels = [("service", "unknown"), ("transport", "grpc"), ("code", code.name())];
        let expected = match code {
            Code::Ok => 0.0,
            Code::Unknown => 501.0,
            _ => 1.0,
        };
        assert_eq!(value(&page, "polywire_server_calls_total", &labels), expected, "{code:?}");
    }
}
