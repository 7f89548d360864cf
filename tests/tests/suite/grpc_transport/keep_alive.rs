//! HTTP/2 keep-alive of clients: what servers allow that police it.

use std::{
    io,
    time::{Duration, Instant},
};

use polywire::{Code, ConnectOptions, Target};
use polywire_tests::{
    inventory::{InventoryClient, WatchRequest},
    patience::within,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::mpsc,
};

/// RFC 9113, sections 4.1, 6.5 and 6.7.
const PREFACE: usize = 24;
const HEADERS: u8 = 0x1;
const PING: u8 = 0x6;

/// SETTINGS without any, and its acknowledgement.
const GREETING: [u8; 18] = [0, 0, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 4, 1, 0, 0, 0, 0];

/// GOAWAY with ENHANCE_YOUR_CALM, which leaves the first stream out or not.
fn calm(last_stream: u8) -> Vec<u8> {
    const DEBUG: &[u8] = b"too_many_pings";
    let head = [0, 0, 8 + DEBUG.len() as u8, 7, 0, 0, 0, 0, 0, 0, 0, 0, last_stream, 0, 0, 0, 0xb];
    [&head[..], DEBUG].concat()
}

/// A server that answers pings and nothing else. After so many pings on a connection it says that these were too many
/// and ends the connection. It tells when each ping came, and on which connection.
struct Police {
    target: String,
    pings: mpsc::UnboundedReceiver<(usize, Instant)>,
    opened: mpsc::UnboundedReceiver<usize>,
}

impl Police {
    async fn new(allowed: usize, last_stream: u8) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let target = format!("grpc://{}", listener.local_addr().unwrap());
        let (ping, pings) = mpsc::unbounded_channel();
        let (open, opened) = mpsc::unbounded_channel();
        tokio::spawn(async move {
            for number in 0.. {
                let (stream, _) = listener.accept().await.unwrap();
                tokio::spawn(watch(stream, number, (allowed, last_stream), ping.clone(), open.clone()));
            }
        });
        Self { target, pings, opened }
    }
}

async fn watch(
    mut stream: TcpStream,
    number: usize,
    (allowed, last_stream): (usize, u8),
    pings: mpsc::UnboundedSender<(usize, Instant)>,
    opened: mpsc::UnboundedSender<usize>,
) -> io::Result<()> {
    stream.read_exact(&mut [0; PREFACE]).await?;
    stream.write_all(&GREETING).await?;
    let mut left = allowed;
    loop {
        let mut head = [0; 9];
        stream.read_exact(&mut head).await?;
        let mut payload = vec![0; u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize];
        stream.read_exact(&mut payload).await?;
        match head[3] {
            HEADERS => drop(opened.send(number)),
            PING if head[4] & 1 == 0 => {
                let _ = pings.send((number, Instant::now()));
                left -= 1;
                if left == 0 {
                    // As grpc-go and grpc-java do: they say so and close.
                    return stream.write_all(&calm(last_stream)).await;
                }
                stream.write_all(&[&[0, 0, 8, PING, 1, 0, 0, 0, 0], payload.as_slice()].concat()).await?;
            }
            _ => {}
        }
    }
}

async fn client(target: &str, options: &ConnectOptions) -> InventoryClient {
    let target: Target = target.parse().unwrap();
    InventoryClient::new(target.connect(options).await.unwrap())
}

/// How many pings a stream costs that is silent for a minute. The clock is wound on once it is open.
async fn pings_in_a_minute(options: &ConnectOptions) -> usize {
    let mut police = Police::new(usize::MAX, 0).await;
    let client = client(&police.target, options).await;
    let call = tokio::spawn(client.watch(WatchRequest::default()).into_future());
    within(police.opened.recv()).await.unwrap();
    tokio::time::pause();
    tokio::time::sleep(Duration::from_secs(60)).await;
    tokio::time::resume();
    assert!(!call.is_finished(), "the stream goes on");
    call.abort();
    let mut count = 0;
    while police.pings.try_recv().is_ok() {
        count += 1;
    }
    count
}

#[tokio::test]
async fn a_stream_that_is_silent_for_a_minute_costs_no_ping_unless_they_were_asked_for() {
    assert_eq!(pings_in_a_minute(&ConnectOptions::default()).await, 0);
    let asked = ConnectOptions::default().keep_alive_interval(Duration::from_secs(10));
    let pings = pings_in_a_minute(&asked).await;
    assert!((4..=6).contains(&pings), "{pings} pings");
}

/// The first interval, and how many pings the server allows on a connection.
const INTERVAL: Duration = Duration::from_millis(100);
const ALLOWED: usize = 2;

#[tokio::test]
async fn a_server_that_says_too_many_pings_is_asked_half_as_often_from_then_on() {
    // Whether it says that of a call that it has seen, or of one that it has not.
    for last_stream in [0, 1] {
        let mut police = Police::new(ALLOWED, last_stream).await;
        let client = client(&police.target, &ConnectOptions::default().keep_alive_interval(INTERVAL)).await;
        let calling = tokio::spawn(async move {
            loop {
                let status = client.watch(WatchRequest::default()).await.unwrap_err();
                assert_eq!(status.code(), Code::Unavailable, "{status}");
            }
        });
        for connection in 0..3 {
            let at = within(police.pings.recv()).await.unwrap();
            let next = within(police.pings.recv()).await.unwrap();
            assert_eq!((at.0, next.0), (connection, connection));
            let least = INTERVAL * (1 << connection);
            let between = next.1 - at.1;
            // The clocks of the two ends may disagree by a little.
            assert!(between + INTERVAL / 5 >= least, "{between:?} on connection {connection}, {last_stream}");
        }
        calling.abort();
    }
}

/// How long a peer is probed that says nothing, and how long what it does not acknowledge is sent again.
#[cfg(target_os = "linux")]
const PROBED: Duration = Duration::from_secs(20);

/// It takes as long as the kernel probes, for it is the kernel that has to find it out.
#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread")]
async fn over_a_path_that_has_gone_dark_streams_and_calls_end_although_no_ping_is_sent() {
    use polywire_services::health::HealthClient;
    use polywire_tests::{
        lab::{Conditions, Lab},
        node::Node,
    };

    let Some(lab) = Lab::or_skip().await else { return };
    let node = Node::start_in(lab.far(), &[]).await;
    let target: Target = node.grpc().parse().unwrap();
    let (open, mut opened) = mpsc::unbounded_channel();
    let (dark, darkness) = tokio::sync::watch::channel(false);
    let calls = [false, true].map(|sends| {
        let (target, open, mut darkness) = (target.clone(), open.clone(), darkness.clone());
        lab.near().spawn(async move {
            let client = HealthClient::new(target.connect(&ConnectOptions::default()).await.unwrap());
            let mut watch = client.watch(crate::node::ask("")).await.unwrap();
            watch.message().await.unwrap();
            open.send(()).unwrap();
            darkness.wait_for(|dark| *dark).await.unwrap();
            let begun = Instant::now();
            let outcome = if sends {
                client.check(crate::node::ask("")).await.map(drop)
            } else {
                watch.message().await.map(drop)
            };
            (outcome.unwrap_err(), begun.elapsed())
        })
    });
    for _ in 0..2 {
        within(opened.recv()).await.unwrap();
    }
    lab.set(Conditions { down: true, ..Conditions::default() });
    dark.send_replace(true);
    for call in calls {
        let (status, took) = within(call).await.unwrap();
        assert_eq!(status.code(), Code::Unavailable, "{status}");
        assert!(took < PROBED + PROBED / 4, "{took:?}: {status}");
    }
}
