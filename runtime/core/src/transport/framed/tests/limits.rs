use std::time::Duration;

use bytes::{BufMut, Bytes, BytesMut};
use tokio::time::Instant;

use super::{
    carrier::taken,
    peers::{Answered, Answering, Peers, call, connect, context, echo, head, next, note, put, serve, within},
};
use crate::{
    Code, Codec, Limits, Metadata, Response, Service, Streaming,
    transport::framed::SendStream,
    wire::{self, RequestCompression},
};

/// A caller with the usual limits, and a service that takes messages up to 100 bytes and metadata up to 200.
fn small() -> Peers {
    let limits = Limits { max_message_bytes: 100, max_metadata_bytes: 200, ..Limits::default() };
    serve(Answering(echo), limits).0
}

#[tokio::test(start_paused = true)]
async fn an_oversized_message_is_refused_before_it_arrives() {
    let peers = small();
    let mut bytes = head(true, None);
    // A message of 2³⁰ − 1 bytes begins; none of them ever comes.
    bytes.put_slice(&[0x02, 0xbf, 0xff, 0xff, 0xff]);
    let (send, recv) = peers.open(bytes, false).await;
    let answered = within(Answered::read(recv)).await.unwrap();
    assert_eq!(answered.code(), Code::ResourceExhausted);
    within(send.stopped()).await;
    assert_eq!(within(peers.ask("other calls")).await.unwrap(), "other calls");
}

#[tokio::test(start_paused = true)]
async fn a_message_at_the_limit_passes_and_one_beyond_does_not() {
    let peers = small();
    assert_eq!(peers.answer_to(call(&"x".repeat(100))).await.code(), Code::Ok);
    assert_eq!(peers.answer_to(call(&"x".repeat(101))).await.code(), Code::ResourceExhausted);
}

#[tokio::test(start_paused = true)]
async fn an_oversized_message_is_not_sent() {
    let peers = small();
    let status = within(peers.ask(&"x".repeat(101))).await.unwrap_err();
    assert_eq!(status.code(), Code::ResourceExhausted);
    let messages = Streaming::from_iter(["fits".to_owned(), "x".repeat(101)].map(|text| note(&text)));
    let mut answers = within(peers.stream(context(), messages)).await.map(|response| response.message);
    let status = match &mut answers {
        Ok(answers) => loop {
            if let Err(status) = within(next(answers)).await {
                break status;
            }
        },
        Err(status) => status.clone(),
    };
    assert_eq!(status.code(), Code::ResourceExhausted);
}

#[tokio::test(start_paused = true)]
async fn an_oversized_answer_is_an_error_instead() {
    let limits = Limits { max_message_bytes: 100, ..Limits::default() };
    let large = Answering(async |_, _| Ok(Response::new(Streaming::once(note(&"x".repeat(101))))));
    let status = within(serve(large, limits).0.ask("hello")).await.unwrap_err();
    assert_eq!(status.code(), Code::ResourceExhausted);
}

#[tokio::test(start_paused = true)]
async fn the_limit_on_metadata_is_its_weight_at_both_ends() {
    // 200 bytes: 32 an entry, 1 for the key.
    let fits = context().with_metadata("k", "v".repeat(167)).unwrap();
    let peers = small();
    assert!(within(peers.unary(fits, note("hello"))).await.is_ok());
    let heavy = context().with_metadata("k", "v".repeat(168)).unwrap();
    let status = within(peers.unary(heavy, note("hello"))).await.unwrap_err();
    assert_eq!(status.code(), Code::ResourceExhausted);
    // Seven entries of two bytes are 238, though their encoding is far shorter.
    let mut metadata = Metadata::new();
    (0..7).for_each(|_| metadata.append("k", "v").unwrap());
    let mut bytes = BytesMut::new();
    wire::put_request_head(
        &mut bytes,
        "/demo.v1.Demo/Get",
        Codec::MessagePack,
        true,
        None,
        RequestCompression::default(),
        &metadata,
    );
    put(&mut bytes, "hello");
    wire::put_end(&mut bytes);
    assert_eq!(peers.answer_to(bytes).await.code(), Code::ResourceExhausted);
}

#[tokio::test(start_paused = true)]
async fn metadata_as_heavy_as_is_allowed_arrives_on_the_way_there_and_back() {
    let mut heavy = Metadata::new();
    heavy.append("k", "v".repeat(Limits::default().max_metadata_bytes - 33)).unwrap();
    let peers = connect(async |cx, messages| {
        let metadata = cx.metadata().clone();
        Ok(Response::new(messages).with_metadata(metadata.clone()).with_trailers(metadata))
    });
    let mut cx = context().with_timeout(Duration::from_secs(1));
    cx.metadata_mut().extend(heavy.clone());
    let response = within(peers.unary(cx, note("hello"))).await.unwrap();
    assert_eq!((&response.metadata, &response.trailers), (&heavy, &heavy));
}

#[tokio::test(start_paused = true)]
async fn metadata_over_the_limit_in_an_answer_fails_the_call() {
    let mut heavy = Metadata::new();
    heavy.append("k", "v".repeat(Limits::default().max_metadata_bytes)).unwrap();
    for trails in [false, true] {
        let heavy = heavy.clone();
        let peers = connect(move |_, messages| {
            let response = Response::new(messages);
            let response = if trails {
                response.with_trailers(heavy.clone())
            } else {
                response.with_metadata(heavy.clone())
            };
            async { Ok(response) }
        });
        assert_eq!(within(peers.ask("hello")).await.unwrap_err().code(), Code::ResourceExhausted, "{trails}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_message_that_begins_must_end_in_time() {
    let begun = Instant::now();
    let mut bytes = head(true, None);
    bytes.put_slice(&[0x02, 9, b'h']);
    let peers = connect(echo);
    let (_send, recv) = peers.open(bytes, false).await;
    let answered = within(Answered::read(recv)).await.unwrap();
    assert_eq!(
        (answered.code(), begun.elapsed()),
        (Code::DeadlineExceeded, Limits::default().message_timeout)
    );
}

#[tokio::test(start_paused = true)]
async fn bytes_that_trickle_in_do_not_buy_a_message_more_time() {
    let begun = Instant::now();
    let mut bytes = head(true, None);
    bytes.put_slice(&[0x02, 0x40, 0xff]);
    let peers = connect(echo);
    let (mut send, recv) = peers.open(bytes, false).await;
    let trickle = tokio::spawn(async move {
        let mut clock = tokio::time::interval(Duration::from_secs(1));
        loop {
            clock.tick().await;
            if send.write(Bytes::from_static(b"h")).await.is_err() {
                return;
            }
        }
    });
    let answered = within(Answered::read(recv)).await.unwrap();
    assert_eq!(
        (answered.code(), begun.elapsed()),
        (Code::DeadlineExceeded, Limits::default().message_timeout)
    );
    within(trickle).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_head_must_come_in_time() {
    let begun = Instant::now();
    let peers = connect(echo);
    let (_send, recv) = peers.open(Bytes::from_static(&[wire::CALL]), false).await;
    let answered = within(Answered::read(recv)).await.unwrap();
    assert_eq!(
        (answered.code(), begun.elapsed()),
        (Code::DeadlineExceeded, Limits::default().message_timeout)
    );
}

#[tokio::test(start_paused = true)]
async fn a_stream_may_rest_between_messages_and_behind_a_skipped_frame() {
    let peers = connect(echo);
    let (mut send, recv) = peers.open(head(false, None), false).await;
    let answered = tokio::spawn(Answered::read(recv));
    let mut message = BytesMut::new();
    put(&mut message, "hello");
    let message = message.freeze();
    // The skipped frame comes in two pieces, so that its reader has waited amid it.
    let pieces = [message.clone(), Bytes::from_static(&[0x9f, 3, 1]), Bytes::from_static(&[2, 3])];
    for piece in pieces {
        send.write(piece).await.unwrap();
        within(taken(&send)).await;
    }
    tokio::time::sleep(Duration::from_secs(3600)).await;
    send.write(message).await.unwrap();
    send.write(Bytes::from_static(&[0x03, 0])).await.unwrap();
    send.finish();
    let answered = within(answered).await.unwrap().unwrap();
    assert_eq!((answered.code(), answered.messages.len()), (Code::Ok, 2));
}
