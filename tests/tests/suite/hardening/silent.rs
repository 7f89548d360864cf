use std::time::{Duration, Instant};

use polywire_tests::{node::Node, patience::within};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::node::health;

/// What the node is told to allow a handshake and a message; 10 s and 20 s by default.
const ALLOWED: Duration = Duration::from_secs(1);

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// SETTINGS without any, and its acknowledgement.
const SETTINGS: [u8; 18] = [0, 0, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 4, 1, 0, 0, 0, 0];

async fn node() -> Node {
    Node::start(&[
        "--transport.grpc.handshake_timeout=1s",
        "--transport.grpc.message_timeout=1s",
        "--transport.grpc.keep_alive_interval=1s",
        "--transport.grpc.keep_alive_timeout=1s",
    ])
    .await
}

/// Reads until the other side closes.
async fn closed(stream: &mut TcpStream) {
    let mut buffer = [0; 4096];
    // A reset is an end as well.
    while within(stream.read(&mut buffer)).await.is_ok_and(|read| read > 0) {}
}

#[tokio::test]
async fn who_does_not_finish_a_handshake_is_gone_when_its_time_is_over() {
    let node = node().await;
    for beginning in [&b""[..], &PREFACE[..1], &PREFACE[..23], PREFACE] {
        let mut stream = TcpStream::connect(node.grpc_address()).await.unwrap();
        let begun = Instant::now();
        stream.write_all(beginning).await.unwrap();
        closed(&mut stream).await;
        assert!(begun.elapsed() >= ALLOWED / 2, "after {} bytes: {:?}", beginning.len(), begun.elapsed());
        assert!(begun.elapsed() < ALLOWED * 10, "after {} bytes: {:?}", beginning.len(), begun.elapsed());
    }
    health(node.grpc(), "").await.unwrap();
}

#[tokio::test]
async fn a_trickled_preface_does_not_gain_time() {
    let node = node().await;
    let mut stream = TcpStream::connect(node.grpc_address()).await.unwrap();
    let begun = Instant::now();
    let (mut read, mut write) = stream.split();
    let trickle = async {
        let mut pace = tokio::time::interval(ALLOWED / 4);
        for byte in PREFACE {
            pace.tick().await;
            if write.write_all(&[*byte]).await.is_err() {
                break;
            }
        }
        std::future::pending::<()>().await;
    };
    let mut buffer = [0; 64];
    let end = async { while read.read(&mut buffer).await.is_ok_and(|read| read > 0) {} };
    tokio::select! {
        () = trickle => {}
        () = within(end) => {}
    }
    assert!(begun.elapsed() < ALLOWED * 5, "{:?}", begun.elapsed());
}

#[tokio::test]
async fn who_answers_no_ping_is_gone() {
    let node = node().await;
    let mut stream = TcpStream::connect(node.grpc_address()).await.unwrap();
    stream.write_all(PREFACE).await.unwrap();
    stream.write_all(&SETTINGS).await.unwrap();
    let begun = Instant::now();
    closed(&mut stream).await;
    assert!(begun.elapsed() < ALLOWED * 10, "{:?}", begun.elapsed());
}

#[tokio::test]
async fn a_body_that_trickles_is_given_up_and_the_connection_goes_on() {
    let node = node().await;
    let mut stream = TcpStream::connect(node.grpc_address()).await.unwrap();
    stream.write_all(PREFACE).await.unwrap();
    stream.write_all(&SETTINGS).await.unwrap();
    stream.write_all(&request_head()).await.unwrap();
    // Three bytes of a message of a hundred.
    let data = [0, 0, 8, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 100, 1, 2, 3];
    stream.write_all(&data).await.unwrap();
    let begun = Instant::now();
    assert!(!trailers(&mut stream).await.is_empty());
    assert!(begun.elapsed() >= ALLOWED / 2, "{:?}", begun.elapsed());
    assert!(begun.elapsed() < ALLOWED * 10, "{:?}", begun.elapsed());
    health(node.grpc(), "").await.unwrap();
}

/// HEADERS of a POST to the health service: literal fields, nothing indexed but the static table's names.
fn request_head() -> Vec<u8> {
    let mut block = vec![0x83, 0x86];
    let mut literal = |name: &[u8], value: &[u8]| {
        block.push(0);
        block.push(u8::try_from(name.len()).unwrap());
        block.extend_from_slice(name);
        block.push(u8::try_from(value.len()).unwrap());
        block.extend_from_slice(value);
    };
    literal(b":path", b"/grpc.health.v1.Health/Check");
    literal(b":authority", b"localhost");
    literal(b"content-type", b"application/grpc");
    literal(b"te", b"trailers");
    let mut frame = vec![0, 0, u8::try_from(block.len()).unwrap(), 1, 4, 0, 0, 0, 1];
    frame.append(&mut block);
    frame
}

/// The header block of the answer on stream 1; pings are answered meanwhile.
async fn trailers(stream: &mut TcpStream) -> Vec<u8> {
    loop {
        let mut head = [0; 9];
        within(stream.read_exact(&mut head)).await.unwrap();
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize;
        let mut payload = vec![0; length];
        within(stream.read_exact(&mut payload)).await.unwrap();
        match head[3] {
            1 => return payload,
            6 if head[4] & 1 == 0 => {
                let pong = [&[0, 0, 8, 6, 1, 0, 0, 0, 0], payload.as_slice()].concat();
                stream.write_all(&pong).await.unwrap();
            }
            _ => {}
        }
    }
}

#[tokio::test]
async fn an_http1_client_that_sends_half_a_head_is_gone() {
    let node = node().await;
    let address = node.targets.http.as_deref().unwrap().trim_start_matches("http://");
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(b"GET /livez HTTP/1.1\r\nhost:").await.unwrap();
    let begun = Instant::now();
    closed(&mut stream).await;
    assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", begun.elapsed());
    assert_eq!(node.get("/livez").await.status, 200);
}
