use std::{
    future::pending,
    time::{Duration, Instant},
};

use bytes::BytesMut;
use iroh::endpoint::Connection;
use polywire::{
    Code, Codec, Drain, Limits, Metadata,
    iroh::{ALPN, ServeOptions, serve},
    wire::{RequestCompression, put_request_head},
};
use polywire_tests::{
    drops::Drops,
    endpoint,
    inventory::{GetRequest, Item, Stock},
};

use super::raw::{Ending, GET, assert_serves, call, ending, open};

/// How long a message may take to arrive here.
const PACE: Duration = Duration::from_millis(300);

/// A raw connection to a stock.
async fn connect(stock: Stock) -> (Connection, impl Sized) {
    let server = endpoint::plain().await;
    let limits = Limits { message_timeout: PACE, ..Limits::default() };
    let options = ServeOptions { limits, ..ServeOptions::default() };
    tokio::spawn(serve(server.clone(), stock.server(), options, Drain::new()));
    let client = endpoint::plain().await;
    let connection = client.connect(server.addr(), ALPN).await.unwrap();
    (connection, (server, client))
}

/// A head and nothing behind it.
fn head(timeout: Option<Duration>) -> Vec<u8> {
    let mut buffer = BytesMut::new();
    put_request_head(
        &mut buffer,
        GET,
        Codec::Protobuf,
        true,
        timeout,
        RequestCompression::default(),
        &Metadata::new(),
    );
    buffer.to_vec()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_a_call_costs_its_stream_and_has_a_clear_end() {
    let (connection, _held) = connect(Stock::new()).await;
    let status = |code| Ending::Status(code);
    // A varint of four bytes that says nearly 1 GiB.
    let gigabyte = [0xbf, 0xff, 0xff, 0xff];
    let cases: [(&str, Vec<u8>, Ending); 9] = [
        ("an unknown kind", vec![0x7f, 1, 2, 3], status(Code::Unimplemented)),
        ("an unknown frame", vec![0x01, 0x7f, 0x00], status(Code::Unimplemented)),
        ("a message before the head", vec![0x01, 0x02, 0x00], status(Code::Internal)),
        ("a head without a path", vec![0x01, 0x01, 0x00], status(Code::Internal)),
        ("an unknown required field", vec![0x01, 0x01, 0x02, 0x7e, 0x00], status(Code::Unimplemented)),
        ("a field longer than its head", vec![0x01, 0x01, 0x02, 0x01, 0x3f], status(Code::Internal)),
        (
            "a head that announces a gigabyte",
            [&[0x01, 0x01], gigabyte.as_slice()].concat(),
            status(Code::ResourceExhausted),
        ),
        (
            "a message that announces a gigabyte",
            [head(None).as_slice(), &[0x02], &gigabyte].concat(),
            status(Code::ResourceExhausted),
        ),
        (
            "a path that is not UTF-8",
            vec![0x01, 0x01, 0x04, 0x01, 0x02, 0xff, 0xfe],
            status(Code::Unimplemented),
        ),
    ];
    for (what, bytes, expected) in cases {
        // Without its end: no call may wait for what was announced.
        let (_send, recv) = open(&connection, &bytes, false).await;
        assert_eq!(ending(recv).await, expected, "{what}");
        assert_serves(&connection).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_truncation_of_a_call_is_a_failure_and_never_a_call() {
    let (connection, _held) = connect(Stock::new()).await;
    let whole = call();
    for length in 1..whole.len() {
        let (_send, recv) = open(&connection, &whole[..length], true).await;
        let ending = ending(recv).await;
        assert!(matches!(ending, Ending::Status(Code::Internal)), "after {length} bytes: {ending:?}");
    }
    assert_serves(&connection).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn random_bytes_are_survived() {
    let (connection, _held) = connect(Stock::new()).await;
    // Knuth's MMIX generator, so that a failure can be repeated.
    let mut state = 20_261_122_u64;
    let mut random = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize
    };
    for _ in 0..500 {
        let mut bytes = call();
        if random() % 2 == 0 {
            let position = random() % bytes.len();
            bytes[position] ^= 1 << (random() % 8);
        } else {
            bytes = (0..random() % 200).map(|_| random() as u8).collect();
            bytes.insert(0, 0x01);
        }
        let (_send, recv) = open(&connection, &bytes, true).await;
        // Any end will do, but there must be one.
        ending(recv).await;
    }
    assert_serves(&connection).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_stalls_amid_its_head_or_message_is_ended_and_one_that_rests_between_is_not() {
    let (connection, _held) = connect(Stock::new()).await;
    let whole = call();
    let amid_message = head(None).len() + 3;
    for length in [1, 3, amid_message] {
        let begun = Instant::now();
        let (_send, recv) = open(&connection, &whole[..length], false).await;
        assert_eq!(ending(recv).await, Ending::Status(Code::DeadlineExceeded), "after {length} bytes");
        assert!(begun.elapsed() >= PACE, "{:?}", begun.elapsed());
        assert_serves(&connection).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_server_keeps_the_deadline_though_the_client_does_not() {
    let mut drops = Drops::new();
    let guards = drops.guards();
    let stock = Stock::new().on_get(move |_, request: GetRequest| {
        let guard = guards.guard();
        async move {
            if request.name.is_empty() {
                pending::<()>().await;
            }
            drop(guard);
            Ok(Item::default())
        }
    });
    let (connection, _held) = connect(stock).await;
    // An empty message, and the end.
    let bytes = [head(Some(Duration::from_millis(100))).as_slice(), &[0x02, 0x00, 0x03, 0x00]].concat();
    let (_send, recv) = open(&connection, &bytes, true).await;
    assert_eq!(ending(recv).await, Ending::Status(Code::DeadlineExceeded));
    drops.next().await;
    assert_serves(&connection).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_stops_the_answer_cancels_the_handler() {
    let mut drops = Drops::new();
    let (begun, mut beginnings) = tokio::sync::mpsc::unbounded_channel();
    let guards = drops.guards();
    let stock = Stock::new().on_get(move |_, _| {
        let guard = guards.guard();
        begun.send(()).unwrap();
        async move {
            pending::<()>().await;
            drop(guard);
            Ok(Item::default())
        }
    });
    let (connection, _held) = connect(stock).await;
    let (_send, mut recv) = open(&connection, &call(), true).await;
    polywire_tests::patience::within(beginnings.recv()).await.unwrap();
    recv.stop(1u8.into()).unwrap();
    drops.next().await;
}
