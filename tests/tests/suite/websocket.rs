//! Calls over WebSockets, and what is kept out.

use std::{net::SocketAddr, time::Duration};

use polywire::{
    Code, ConnectOptions, Context, Drain, Status, Target,
    transport::{BindContext, BindError, Bound as _, Serving, Transport as _, framed::Listening},
    websocket::{Config, Listener, Origin, WebSocket},
};
use polywire_tests::{inventory::Item, node::Node, patience::within, pki::Pki};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

#[polywire::service(package = "tests.v1")]
trait Door {
    /// Who knocks, and from where.
    async fn knock(&self, cx: &Context, item: Item) -> Result<Item, Status>;
}

struct Porter;

impl Door for Porter {
    async fn knock(&self, cx: &Context, _: Item) -> Result<Item, Status> {
        let caller = cx.caller().ok_or_else(|| Status::internal("there is no caller"))?;
        let address: SocketAddr = caller.address.as_deref().unwrap_or_default().parse().unwrap();
        Ok(Item::named(format!("{} {:?} {}", caller.transport, caller.identity.is_some(), address.ip())))
    }
}

fn config() -> Config {
    let origin = Origin::try_from("https://shop.example".to_owned()).unwrap();
    Config {
        bind_address: SocketAddr::from(([127, 0, 0, 1], 0)),
        path: "/calls".to_owned(),
        allowed_origins: vec![origin],
        ..Config::default()
    }
}

async fn bind(config: Config) -> Result<Listening<Listener>, BindError> {
    WebSocket.bind(config, BindContext::new([7; 32], DoorServer::new(Porter))).await
}

/// Serves until the drain is dropped with the test; gives the target and the address.
async fn serve(config: Config) -> (Drain, Target, SocketAddr) {
    let bound = bind(config).await.unwrap();
    let target = bound.target();
    let address = target.split('/').nth(2).unwrap().parse().unwrap();
    let drain = Drain::new();
    tokio::spawn(bound.serve(Serving::new(DoorServer::new(Porter), drain.clone())));
    (drain, target.parse().unwrap(), address)
}

/// A handshake that is answered with a WebSocket.
const HEAD: &str = "GET /calls HTTP/1.1\r\nHost: door.example\r\nConnection: keep-alive, Upgrade\r\n\
    Upgrade: websocket\r\nOrigin: https://shop.example\r\nSec-WebSocket-Version: 13\r\n\
    Sec-WebSocket-Protocol: other, polywire.mux.1\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

async fn write(address: SocketAddr, bytes: &[u8]) -> TcpStream {
    let mut tcp = TcpStream::connect(address).await.unwrap();
    tcp.write_all(bytes).await.unwrap();
    tcp
}

/// The head of the answer, in lower case.
async fn head(tcp: &mut TcpStream) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(within(tcp.read_u8()).await.unwrap());
    }
    String::from_utf8(head).unwrap().to_ascii_lowercase()
}

/// What still comes, up to the end of the connection.
async fn rest(mut tcp: TcpStream) -> Vec<u8> {
    let mut rest = Vec::new();
    within(tcp.read_to_end(&mut rest)).await.unwrap();
    rest
}

#[tokio::test]
async fn a_caller_is_its_address_and_is_told_when_the_server_is_gone() {
    let (drain, target, _) = serve(config()).await;
    assert!(target.to_string().ends_with("/calls"), "{target}");
    let client = DoorClient::new(target.connect(&ConnectOptions::new()).await.unwrap());
    assert_eq!(client.knock(Item::default()).await.unwrap().name, "websocket false 127.0.0.1");
    drain.stop();
    let gone = polywire_tests::patience::eventually("the server is gone", async || {
        client.knock(Item::default()).await.err().filter(|gone| gone.message().contains("ws://"))
    })
    .await;
    assert!(gone.code() == Code::Unavailable && gone.is_not_processed(), "{gone}");
}

#[tokio::test]
async fn a_handshake_as_browsers_make_it_is_accepted() {
    let (_drain, _, address) = serve(config()).await;
    let mut tcp = write(address, HEAD.as_bytes()).await;
    let answer = head(&mut tcp).await;
    assert!(answer.starts_with("http/1.1 101 "), "{answer}");
    // The example of RFC 6455, section 1.3.
    assert!(answer.contains("sec-websocket-accept: s3pplmbitxaq9kygzzhzrbk+xoo=\r\n"), "{answer}");
    assert!(answer.contains("sec-websocket-protocol: polywire.mux.1\r\n"), "{answer}");
    let mut preface = [0; 10];
    within(tcp.read_exact(&mut preface)).await.unwrap();
    assert_eq!(preface, *b"\x82\x14polymux\x01", "a binary message of 20 bytes");
}

#[tokio::test]
async fn a_request_that_is_no_handshake_is_told_why() {
    let (_drain, _, address) = serve(config()).await;
    let long = format!("X: {}\r\n\r\n", "a".repeat(20_000));
    let cases = [
        ("/calls", "/other", "404 not found", "nothing on this path"),
        ("GET", "POST", "405 method not allowed", "opened with GET"),
        ("HTTP/1.1", "HTTP/1.0", "426 upgrade required", "a WebSocket and nothing else"),
        ("Upgrade: websocket", "Upgrade: h2c", "426 upgrade required", "a WebSocket and nothing else"),
        ("keep-alive, Upgrade", "keep-alive", "426 upgrade required", "a WebSocket and nothing else"),
        ("Version: 13", "Version: 8", "426 upgrade required", "version of WebSockets here is 13"),
        ("https://shop", "https://evil", "403 forbidden", "transport.websocket.allowed_origins"),
        ("shop.example\r\n", "shop.example\r\nOrigin: null\r\n", "403 forbidden", "allowed_origins"),
        ("polywire.mux.1", "polywire.mux.2", "400 bad request", "expected the subprotocol polywire.mux.1"),
        ("dGhlIHNhbXBsZSBub25jZQ==", "c2hvcnQ=", "400 bad request", "16 bytes of Base64"),
        ("GET ", "\u{1} ", "400 bad request", ""),
        ("\r\n\r\n", &format!("\r\n{long}"), "431 request header fields too large", ""),
    ];
    for (text, by, status, why) in cases {
        let mut tcp = write(address, HEAD.replace(text, by).as_bytes()).await;
        let answer = head(&mut tcp).await;
        let line = answer.lines().next().unwrap();
        assert!(line.ends_with(status), "{by:?}: {line}");
        let words = String::from_utf8(rest(tcp).await).unwrap();
        assert!(words.contains(why), "{by:?}: {words}");
    }
}

#[tokio::test]
async fn a_caller_is_told_why_it_got_no_websocket() {
    let (_drain, target, address) = serve(config()).await;
    let elsewhere = target.to_string().replace("/calls", "/other");
    let client = connect(&elsewhere, &ConnectOptions::new()).await;
    let lost = client.knock(Item::default()).await.unwrap_err();
    assert!(lost.code() == Code::Unavailable && lost.is_not_processed(), "{lost}");
    assert!(lost.message().contains("404 Not Found: there is nothing on this path"), "{lost}");
    let encrypted = connect(&format!("wss://{address}"), &ConnectOptions::new()).await;
    let lost = encrypted.knock(Item::default()).await.unwrap_err();
    assert!(lost.code() == Code::Unavailable && lost.message().contains("wss://"), "{lost}");
}

async fn connect(target: &str, options: &ConnectOptions) -> DoorClient {
    DoorClient::new(target.parse::<Target>().unwrap().connect(options).await.unwrap())
}

#[tokio::test]
async fn a_frame_that_the_pipe_cannot_take_closes_it_and_says_why() {
    let (_drain, _, address) = serve(config()).await;
    let mask = [0; 4];
    let cases: [(&str, Vec<u8>, u16); 5] = [
        ("a text", [&[0x81, 0x82][..], &mask, b"hi"].concat(), 1003),
        ("no UTF-8", [&[0x81, 0x81][..], &mask, &[0xff]].concat(), 1003),
        ("not masked", vec![0x82, 2, 1, 2], 1002),
        ("an extension", [&[0xc2, 0x82][..], &mask, b"hi"].concat(), 1002),
        ("2^62 bytes", [&[0x82, 0xff, 0x40, 0, 0, 0, 0, 0, 0, 0][..], &mask, &[7; 9000]].concat(), 1009),
    ];
    for (what, frame, code) in cases {
        let mut tcp = write(address, HEAD.as_bytes()).await;
        head(&mut tcp).await;
        tcp.write_all(&frame).await.unwrap();
        let mut said = vec![0; 24];
        within(tcp.read_exact(&mut said)).await.unwrap();
        assert_eq!(said[22], 0x88, "{what}: a close behind the preface");
        assert_eq!(within(tcp.read_u16()).await.unwrap(), code, "{what}");
        let words = rest(tcp).await;
        assert_eq!(words.len() + 2, usize::from(said[23]), "{what}: {}", String::from_utf8_lossy(&words));
    }
}

#[tokio::test]
async fn who_takes_too_long_to_shake_hands_is_hung_up_on() {
    let (_drain, _, address) =
        serve(Config { handshake_timeout: Duration::from_millis(100), ..config() }).await;
    for said in ["", "GET /calls HTTP/1.1\r\nHost: d", HEAD] {
        let tcp = write(address, said.as_bytes()).await;
        rest(tcp).await;
    }
}

#[tokio::test]
async fn a_node_is_called_over_tls_by_who_trusts_its_authority() {
    let directory = tempfile::tempdir().unwrap();
    let pki = Pki::new(directory.path());
    let node = Node::start(&[
        "--transport.websocket.enabled=true",
        "--transport.websocket.bind_address=127.0.0.1:0",
        &format!("--transport.websocket.tls_cert={}", pki.certificate.display()),
        &format!("--transport.websocket.tls_key={}", pki.key.display()),
    ])
    .await;
    let target: Target = node.target("websocket").parse().unwrap();
    assert!(target.to_string().starts_with("wss://127.0.0.1:"), "{target}");
    let health = async |options: ConnectOptions| {
        let health = polywire_services::health::HealthClient::new(target.connect(&options).await.unwrap());
        health.check(Default::default()).await.map(|answer| answer.status)
    };
    assert_eq!(health(ConnectOptions::new().ca_file(&pki.authority)).await.unwrap(), 1);
    let stranger = health(ConnectOptions::new()).await.unwrap_err();
    assert_eq!(stranger.code(), Code::Unavailable);
    assert!(stranger.message().contains("UnknownIssuer"), "{stranger}");
    let nothing = health(ConnectOptions::new().ca_file("/nowhere/ca.pem")).await.unwrap_err();
    assert_eq!(nothing.code(), Code::InvalidArgument);
    assert!(nothing.message().contains("/nowhere/ca.pem"), "{nothing}");
}

#[tokio::test]
async fn a_configuration_that_cannot_be_served_is_named_by_its_key() {
    let directory = tempfile::tempdir().unwrap();
    let pki = Pki::new(directory.path());
    let cases = [
        (
            Config { tls_cert: Some(pki.certificate.clone()), ..config() },
            "transport.websocket.tls_cert",
            "tls_key",
        ),
        (Config { tls_key: Some(pki.key.clone()), ..config() }, "transport.websocket.tls_key", "tls_cert"),
        (Config { path: "calls".to_owned(), ..config() }, "transport.websocket.path", "\"/polywire\""),
        (Config { path: "/calls?x".to_owned(), ..config() }, "transport.websocket.path", "\"/polywire\""),
        (Config { path: "/calls#x".to_owned(), ..config() }, "transport.websocket.path", "\"/polywire\""),
    ];
    for (config, key, expected) in cases {
        let error = bind(config).await.unwrap_err().to_string();
        assert!(error.starts_with(key) && error.contains(expected), "{error}");
    }
}
