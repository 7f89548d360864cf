use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use bytes::{BufMut, BytesMut};
use serde::{Deserialize, Serialize};

use super::peers::{Answered, Peers, serve, within};
use crate::{
    Code, Codec, Limits, Metadata, Status, Streaming,
    wire::{self, RequestCompression},
};

#[derive(Clone, PartialEq, prost::Message, Serialize, Deserialize)]
struct Note {
    #[prost(string, tag = "1")]
    text: String,
}

#[polywire::service(package = "refused.v1")]
trait Refused {
    async fn unary(&self, note: Note) -> Result<Note, Status>;
    async fn download(&self, note: Note) -> Result<Streaming<Note>, Status>;
    async fn upload(&self, notes: Streaming<Note>) -> Result<Note, Status>;
    async fn exchange(&self, notes: Streaming<Note>) -> Result<Streaming<Note>, Status>;
}

/// Counts the handlers that have begun. Those that stream answer once, and then rest.
#[derive(Clone, Default)]
struct Counting(Arc<AtomicUsize>);

impl Counting {
    fn begin(&self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }

    fn resting(&self) -> Result<Streaming<Note>, Status> {
        self.begin();
        let first = futures_util::stream::once(async { Ok(Note::default()) });
        let rest = futures_util::stream::pending();
        Ok(Streaming::new(futures_util::StreamExt::chain(first, rest)))
    }
}

impl Refused for Counting {
    async fn unary(&self, note: Note) -> Result<Note, Status> {
        self.begin();
        Ok(note)
    }

    async fn download(&self, _: Note) -> Result<Streaming<Note>, Status> {
        self.resting()
    }

    async fn upload(&self, mut notes: Streaming<Note>) -> Result<Note, Status> {
        self.begin();
        notes.message().await?.ok_or_else(|| Status::not_found("no note"))
    }

    async fn exchange(&self, _: Streaming<Note>) -> Result<Streaming<Note>, Status> {
        self.resting()
    }
}

const METHODS: [&str; 4] = ["Unary", "Download", "Upload", "Exchange"];

fn counting() -> (Peers, Arc<AtomicUsize>) {
    let service = Counting::default();
    let begun = service.0.clone();
    (serve(RefusedServer::new(service), Limits::default()).0, begun)
}

fn head(method: &str, unary: bool, timeout: Option<Duration>) -> BytesMut {
    let (path, compression) = (format!("/refused.v1.Refused/{method}"), RequestCompression::default());
    let mut buffer = BytesMut::new();
    wire::put_request_head(
        &mut buffer,
        &path,
        Codec::Protobuf,
        unary,
        timeout,
        compression,
        &Metadata::new(),
    );
    buffer
}

fn put(buffer: &mut BytesMut, message: &[u8]) {
    wire::put_message(buffer, usize::MAX, |buffer| {
        buffer.put_slice(message);
        Ok(())
    })
    .unwrap();
}

/// A whole call of one message.
fn call(mut head: BytesMut, message: &[u8]) -> BytesMut {
    put(&mut head, message);
    wire::put_end(&mut head);
    head
}

#[tokio::test(start_paused = true)]
async fn a_call_whose_time_is_over_when_it_arrives_starts_no_handler() {
    let (peers, begun) = counting();
    for method in METHODS {
        for unary in [true, false] {
            let bytes = call(head(method, unary && method == "Unary", Some(Duration::ZERO)), &[]);
            let answered = peers.answer_to(bytes).await;
            assert_eq!(answered.code(), Code::DeadlineExceeded, "{method}");
            assert!(answered.tail.not_processed, "{method}");
            assert_eq!(begun.load(Ordering::SeqCst), 0, "{method}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_call_whose_request_does_not_come_in_time_is_not_processed() {
    let (peers, begun) = counting();
    for method in ["Unary", "Download"] {
        let (_send, recv) = peers.open(head(method, false, Some(Duration::from_secs(1))), false).await;
        let answered = within(Answered::read(recv)).await.unwrap();
        assert_eq!(answered.code(), Code::DeadlineExceeded, "{method}");
        assert!(answered.tail.not_processed, "{method}");
    }
    assert_eq!(begun.load(Ordering::SeqCst), 0);
}

#[tokio::test(start_paused = true)]
async fn the_unary_field_on_a_method_that_streams_is_refused_at_once() {
    let (peers, begun) = counting();
    for method in ["Download", "Upload", "Exchange"] {
        // Nothing follows the head, and no deadline would end it.
        let (_send, recv) = peers.open(head(method, true, None), false).await;
        let at = tokio::time::Instant::now();
        let answered = within(Answered::read(recv)).await.unwrap();
        assert_eq!(at.elapsed(), Duration::ZERO, "{method}");
        assert_eq!(answered.code(), Code::Unimplemented, "{method}");
        assert!(answered.tail.not_processed, "{method}");
        assert!(answered.tail.message.contains("streaming; expected a call that streams"), "{answered:?}");
    }
    assert_eq!(begun.load(Ordering::SeqCst), 0);
    assert_eq!(peers.answer_to(call(head("Unary", true, None), &[])).await.code(), Code::Ok);
}

#[tokio::test(start_paused = true)]
async fn a_request_that_is_no_message_is_the_callers_mistake() {
    let (peers, begun) = counting();
    // The handler of `Exchange` reads nothing.
    for method in ["Unary", "Download", "Upload"] {
        // A field of five bytes, of which one is there.
        let answered = peers.answer_to(call(head(method, false, None), &[0x0a, 5, b'x'])).await;
        assert_eq!(answered.code(), Code::InvalidArgument, "{method}");
        // The handler that takes a stream has begun by then, and is told.
        let streams = method == "Upload";
        assert_eq!(answered.tail.not_processed, !streams, "{method}");
        assert_eq!(begun.swap(0, Ordering::SeqCst), usize::from(streams), "{method}");
    }
}

#[tokio::test(start_paused = true)]
async fn none_or_two_requests_for_one_reach_no_handler() {
    let (peers, begun) = counting();
    for method in ["Unary", "Download"] {
        for count in [0, 2] {
            let mut bytes = head(method, false, None);
            (0..count).for_each(|_| put(&mut bytes, &[]));
            wire::put_end(&mut bytes);
            let answered = peers.answer_to(bytes).await;
            assert_eq!(answered.code(), Code::Unimplemented, "{method}, {count}");
            assert!(answered.tail.not_processed, "{method}, {count}");
        }
    }
    assert_eq!(begun.load(Ordering::SeqCst), 0);
}

#[tokio::test(start_paused = true)]
async fn what_a_handler_says_is_never_not_processed() {
    struct Passing;
    impl Refused for Passing {
        async fn unary(&self, _: Note) -> Result<Note, Status> {
            Err(Status::unavailable("as a call of mine was").not_processed())
        }

        async fn download(&self, _: Note) -> Result<Streaming<Note>, Status> {
            Err(Status::unavailable("as a call of mine was").not_processed())
        }

        async fn upload(&self, _: Streaming<Note>) -> Result<Note, Status> {
            Err(Status::unavailable("as a call of mine was").not_processed())
        }

        async fn exchange(&self, _: Streaming<Note>) -> Result<Streaming<Note>, Status> {
            Err(Status::unavailable("as a call of mine was").not_processed())
        }
    }
    let peers = serve(RefusedServer::new(Passing), Limits::default()).0;
    for method in METHODS {
        let answered = peers.answer_to(call(head(method, false, None), &[])).await;
        assert_eq!(answered.code(), Code::Unavailable, "{method}");
        assert!(!answered.tail.not_processed, "{method}");
    }
}
