use std::time::{Duration, Instant};

use polywire_tests::{node::Node, patience::within};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use super::process::resident;
use crate::node::health;

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const SETTINGS: [u8; 9] = [0, 0, 0, 4, 0, 0, 0, 0, 0];

/// How many streams a client opens that respects no limit.
const STREAMS: u32 = 20_000;

/// A HEADERS frame of a Watch that does not end its stream.
fn headers(stream: u32) -> Vec<u8> {
    let mut block = vec![0x83, 0x86];
    for (name, value) in [
        (":path", "/grpc.health.v1.Health/Watch"),
        (":authority", "localhost"),
        ("content-type", "application/grpc"),
        ("te", "trailers"),
    ] {
        block.extend([0, name.len() as u8]);
        block.extend(name.as_bytes());
        block.push(value.len() as u8);
        block.extend(value.as_bytes());
    }
    let mut frame = vec![0, 0, block.len() as u8, 1, 4];
    frame.extend(stream.to_be_bytes());
    frame.append(&mut block);
    frame
}

/// The server's first SETTINGS, by identifier.
async fn settings(stream: &mut TcpStream) -> Vec<(u16, u32)> {
    loop {
        let mut head = [0; 9];
        within(stream.read_exact(&mut head)).await.unwrap();
        let mut payload = vec![0; u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize];
        within(stream.read_exact(&mut payload)).await.unwrap();
        if head[3] == 4 && head[4] == 0 {
            let entries = payload.chunks_exact(6);
            let entry = |entry: &[u8]| {
                let identifier = u16::from_be_bytes([entry[0], entry[1]]);
                (identifier, u32::from_be_bytes([entry[2], entry[3], entry[4], entry[5]]))
            };
            return entries.map(entry).collect();
        }
    }
}

async fn connect(node: &Node) -> TcpStream {
    let mut stream = TcpStream::connect(node.grpc_address()).await.unwrap();
    stream.write_all(PREFACE).await.unwrap();
    stream.write_all(&SETTINGS).await.unwrap();
    stream
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_limit_is_advertised_and_who_ignores_it_costs_little_memory() {
    let node = Node::start(&[]).await;
    health(node.grpc(), "").await.unwrap();
    let mut stream = connect(&node).await;
    // SETTINGS_MAX_CONCURRENT_STREAMS (RFC 9113, section 6.5.2).
    let limit = settings(&mut stream).await.into_iter().find(|(identifier, _)| *identifier == 3);
    let (_, limit) = limit.expect("a stream limit");
    assert!((100..=1_000).contains(&limit), "{limit}");

    let before = resident(node.pid());
    let (mut read, mut write) = stream.into_split();
    let flood = async {
        for number in 0..STREAMS {
            if write.write_all(&headers(number * 2 + 1)).await.is_err() {
                break;
            }
        }
    };
    let mut buffer = vec![0; 64 << 10];
    let drain = async {
        // The server may close, or just refuse and go on.
        while let Ok(Ok(1..)) = tokio::time::timeout(Duration::from_secs(2), read.read(&mut buffer)).await {}
    };
    within(async { tokio::join!(flood, drain) }).await;
    let growth = resident(node.pid()).saturating_sub(before);
    assert!(growth <= 64 << 20, "{} MiB", growth >> 20);
    health(node.grpc(), "").await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn stream_limits_are_those_of_the_configuration() {
    const LIMIT: u32 = 7;
    let node = Node::start(&[
        "--transport.grpc.max_concurrent_streams=7",
        "--transport.iroh.max_concurrent_streams=7",
    ])
    .await;
    let mut stream = connect(&node).await;
    assert!(settings(&mut stream).await.contains(&(3, LIMIT)));

    let client = polywire_services::health::HealthClient::new(crate::node::connect(node.iroh()).await);
    let mut watches = Vec::new();
    for _ in 0..LIMIT {
        let mut watch = client.watch(crate::node::ask("")).await.unwrap();
        within(watch.message()).await.unwrap();
        watches.push(watch);
    }
    let mut next = Box::pin(client.check(crate::node::ask("")).into_future());
    let waits = tokio::time::timeout(Duration::from_millis(300), &mut next).await;
    assert!(waits.is_err(), "one call more than the limit: {waits:?}");
    watches.pop();
    within(next).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_honest_client_whose_calls_time_out_together_is_served_again_at_once() {
    let node = Node::start(&[]).await;
    let client = polywire_services::health::HealthClient::new(crate::node::connect(node.grpc()).await);
    client.check(crate::node::ask("")).await.unwrap();
    let mut calls = tokio::task::JoinSet::new();
    for _ in 0..200 {
        let call = client.watch(crate::node::ask("")).timeout(Duration::from_secs(3));
        calls.spawn(async move {
            let mut watch = call.await.unwrap();
            while watch.message().await.is_ok() {}
        });
    }
    within(calls.join_all()).await;
    let begun = Instant::now();
    client.check(crate::node::ask("")).await.unwrap();
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn rapid_resets_do_not_grow_memory_and_others_are_served() {
    let node = Node::start(&[]).await;
    health(node.grpc(), "").await.unwrap();
    let before = resident(node.pid());
    let stream = connect(&node).await;
    let (mut read, mut write) = stream.into_split();
    let flood = async {
        for number in 0..STREAMS {
            let id = number * 2 + 1;
            let reset = [&[0, 0, 4, 3, 0], id.to_be_bytes().as_slice(), &8_u32.to_be_bytes()].concat();
            if write.write_all(&[headers(id), reset].concat()).await.is_err() {
                break;
            }
        }
    };
    let mut buffer = vec![0; 64 << 10];
    let drain = async {
        while let Ok(Ok(1..)) = tokio::time::timeout(Duration::from_secs(2), read.read(&mut buffer)).await {}
    };
    within(async { tokio::join!(flood, drain) }).await;
    let growth = resident(node.pid()).saturating_sub(before);
    assert!(growth <= 64 << 20, "{} MiB", growth >> 20);
    health(node.grpc(), "").await.unwrap();
}
