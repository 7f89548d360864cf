use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use http::Response;
use http_body_util::{Empty, StreamBody};
use hyper::body::Frame as BodyFrame;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::{Duration, Instant};

use super::super::{HttpService, ListenerOptions};
use super::raw::{Frame, GOAWAY, HEADERS, SETTINGS, get, opening, reset};
use super::{Answering, Served, hello};

#[tokio::test(start_paused = true)]
async fn the_stream_limit_is_advertised() {
    let options = ListenerOptions { max_concurrent_streams: 321, ..ListenerOptions::default() };
    let served = Served::http2(options, hello());
    let mut client = served.connect(1 << 16);
    client.write_all(&opening()).await.unwrap();
    let first = Frame::read(&mut client).await.expect("a frame");
    assert_eq!((first.kind, first.flags, first.stream), (SETTINGS, 0, 0));
    let limit: Vec<_> = [3_u16.to_be_bytes().as_slice(), &321_u32.to_be_bytes()].concat();
    assert!(first.payload.chunks(6).any(|setting| setting == limit), "{:?}", first.payload);
}

/// Opens and resets so many streams in one write, then asks once more; the kind of frame that answers.
async fn after_resets(count: u32) -> u8 {
    let served = Served::http2(ListenerOptions::default(), hello());
    let mut client = served.connect(1 << 20);
    let mut bytes = opening();
    for stream in (0..count).map(|number| 2 * number + 1) {
        bytes.extend(get(stream));
        bytes.extend(reset(stream));
    }
    let last = 2 * count + 1;
    bytes.extend(get(last));
    client.write_all(&bytes).await.unwrap();
    loop {
        let frame = Frame::read(&mut client).await.expect("an answer or GOAWAY");
        if frame.kind == GOAWAY || (frame.kind == HEADERS && frame.stream == last) {
            return frame.kind;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_client_whose_calls_all_time_out_is_served_again() {
    assert_eq!(after_resets(1_000).await, HEADERS);
}

#[tokio::test(start_paused = true)]
async fn endless_resets_are_sent_away() {
    assert_eq!(after_resets(1_100).await, GOAWAY);
}

#[tokio::test(start_paused = true)]
async fn connections_beyond_the_limit_wait_until_one_ends() {
    let options = ListenerOptions { max_connections: 1, ..ListenerOptions::default() };
    let served = Served::http2(options, hello());
    let mut first = served.connect(1 << 16);
    first.write_all(&opening()).await.unwrap();
    Frame::read(&mut first).await.expect("it is served");

    let mut second = served.connect(1 << 16);
    second.write_all(&opening()).await.unwrap();
    let waiting = tokio::time::timeout(Duration::from_secs(5), Frame::read(&mut second)).await;
    assert!(waiting.is_err(), "{waiting:?}");

    drop(first);
    Frame::read(&mut second).await.expect("it is served now");
    assert_eq!(*served.open.0.borrow(), 1);
}

/// Answers with a body that never ends and is always ready.
fn endless() -> impl HttpService {
    Answering(async |_| {
        let chunk = || Ok::<_, Infallible>(BodyFrame::data(Bytes::from_static(&[0; 1024])));
        Response::new(StreamBody::new(futures_util::stream::repeat_with(chunk)))
    })
}

/// Sends a request and reads nothing; after how many seconds the server gives up.
async fn unread(served: &Served, request: &[u8]) -> u64 {
    let mut client = served.connect(1 << 12);
    let began = Instant::now();
    client.write_all(request).await.unwrap();
    served.opened(1).await;
    served.opened(0).await;
    began.elapsed().as_secs()
}

#[tokio::test(start_paused = true)]
async fn a_client_that_stops_reading_its_answer_is_given_up() {
    let served = Served::http2(ListenerOptions::default(), endless());
    assert_eq!(unread(&served, &[opening(), get(1)].concat()).await, 20);
    let served = Served::http1(ListenerOptions::default(), endless());
    assert_eq!(unread(&served, b"GET / HTTP/1.1\r\nhost: a\r\n\r\n").await, 20);
}

#[tokio::test(start_paused = true)]
async fn a_header_list_beyond_the_limit_never_reaches_the_service() {
    let reached = Arc::new(AtomicUsize::new(0));
    let counting = {
        let reached = reached.clone();
        Answering(move |_| {
            reached.fetch_add(1, Ordering::Relaxed);
            async { Response::new(Empty::<Bytes>::new()) }
        })
    };
    let served = Served::http1(ListenerOptions::default(), counting);
    let mut client = served.connect(1 << 16);
    let head = format!("GET / HTTP/1.1\r\nhost: a\r\nlong: {}\r\n\r\n", "x".repeat(20_000));
    client.write_all(head.as_bytes()).await.unwrap();
    let mut answer = String::new();
    client.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 431 "), "{answer}");
    assert_eq!(reached.load(Ordering::Relaxed), 0);
}
