use std::sync::Arc;

use bytes::Bytes;
use futures_util::FutureExt;

use super::{
    super::{
        Batched, Connection, RecvStream, SendStream, StreamError,
        batched::FEW,
        pair::{MemoryConnection, WINDOW, pair},
    },
    peers::within,
};
use crate::{Status, wire::StreamCode};

/// Both ends, batched, with so many calls open that no other is one of few.
async fn busy() -> (Arc<Batched<MemoryConnection>>, Batched<MemoryConnection>, impl Sized) {
    let (near, far) = pair();
    let (near, far) = (Arc::new(Batched::new(near)), Batched::new(far));
    let mut open = Vec::new();
    for _ in 0..FEW {
        open.push((near.open(Bytes::from_static(b"open"), true).await.unwrap(), far.accept().await.unwrap()));
    }
    (near, far, open)
}

async fn read<R: RecvStream>(recv: &mut R) -> Option<Bytes> {
    within(recv.read()).await.unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_call_that_is_one_of_few_waits_for_nothing() {
    let (near, _far) = pair();
    let near = Batched::new(near);
    let open: Vec<_> =
        (0..FEW).map(|_| near.open(Bytes::from_static(b"few"), true).now_or_never().unwrap()).collect();
    assert!(near.open(Bytes::from_static(b"many"), true).now_or_never().is_none());
    drop(open);
    assert!(near.open(Bytes::from_static(b"few"), true).now_or_never().is_some());
}

#[tokio::test(start_paused = true)]
async fn calls_that_are_ready_together_are_opened_together() {
    let (near, far, _first) = busy().await;
    let calls: Vec<_> = (0..8u8)
        .map(|index| {
            let near = near.clone();
            tokio::spawn(async move { near.open(Bytes::copy_from_slice(&[index]), true).await })
        })
        .collect();
    let mut arrived = Vec::new();
    for index in 0..8 {
        // Once the first is there all are, without anything else having to run.
        let accepted =
            if index == 0 { Some(within(far.accept()).await) } else { far.accept().now_or_never() };
        let (_send, mut recv) = accepted.expect("it came with the others").unwrap();
        arrived.push(read(&mut recv).await.unwrap()[0]);
    }
    assert_eq!(arrived, (0..8).collect::<Vec<_>>());
    for call in calls {
        within(call).await.unwrap().unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn a_call_that_is_given_up_before_it_is_opened_is_never_seen() {
    let (near, far, _first) = busy().await;
    assert!(near.open(Bytes::from_static(b"given up"), true).now_or_never().is_none());
    within(near.open(Bytes::from_static(b"kept"), true)).await.unwrap();
    let (_send, mut recv) = within(far.accept()).await.unwrap();
    assert_eq!(read(&mut recv).await.unwrap(), "kept");
}

#[tokio::test(start_paused = true)]
async fn what_fails_to_open_fails_as_it_would_by_itself() {
    let (near, far, _first) = busy().await;
    far.get().lose(&Status::unavailable("the cable was cut"));
    let Err(StreamError::Lost(status)) = within(near.open(Bytes::from_static(b"late"), true)).await else {
        panic!("the connection is lost");
    };
    assert!(status.is_not_processed());
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_finds_the_window_full_holds_up_no_other() {
    let (near, far, _first) = busy().await;
    let (_slow, mut slow_reader) = within(near.open(Bytes::from_static(b"slow"), true)).await.unwrap();
    let (_fast, mut fast_reader) = within(near.open(Bytes::from_static(b"fast"), true)).await.unwrap();
    let (mut slow, _recv) = far.accept().await.unwrap();
    let (mut fast, _recv) = far.accept().await.unwrap();
    let full = Bytes::from(vec![1; WINDOW - 1]);
    slow.write(full.clone()).await.unwrap();
    slow.end(Bytes::from_static(b"the end")).await.unwrap();
    fast.end(Bytes::from_static(b"at once")).await.unwrap();
    assert_eq!(read(&mut fast_reader).await.unwrap(), "at once");
    assert_eq!(read(&mut fast_reader).await, None);
    let mut late = Vec::new();
    while let Some(chunk) = read(&mut slow_reader).await {
        late.extend_from_slice(&chunk);
    }
    assert_eq!(late, [&full[..], b"the end"].concat());
}

#[tokio::test(start_paused = true)]
async fn a_direction_that_was_handed_on_to_be_ended_is_not_reset() {
    let (near, far, _first) = busy().await;
    let (_send, mut recv) = within(near.open(Bytes::from_static(b"question"), true)).await.unwrap();
    let (mut send, _recv) = far.accept().await.unwrap();
    send.end(Bytes::from_static(b"answer")).await.unwrap();
    send.reset(StreamCode::Cancelled);
    drop(send);
    assert_eq!(read(&mut recv).await.unwrap(), "answer");
    assert_eq!(read(&mut recv).await, None);
}
