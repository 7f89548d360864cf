//! A peer whose connection takes no more calls: those that it certainly did not take are made once more.

use std::{
    collections::VecDeque,
    future::pending,
    sync::{Arc, Mutex},
    time::Duration,
};

use bytes::BytesMut;
use tokio::{sync::Semaphore, task::JoinHandle, time::Instant};

use super::{
    carrier::{self, End, pair},
    peers::{Answering, context, echo, next, note, put, read, within},
};
use crate::{
    Caller, Channel, Code, Codec, Context, Drain, Limits, Metadata, Service, ServiceExt as _, Status,
    Streaming,
    transport::{
        Inbound,
        framed::{Connection, Dial, Peer, RecvStream, SendStream, serve_connection},
    },
    wire::{self, StreamCode},
};

/// Connections that are made one after another; behind the last, dials fail or never end.
struct Dials {
    left: Mutex<VecDeque<End>>,
    patient: bool,
}

impl Dial for Dials {
    type Connection = End;

    fn transport(&self) -> &'static str {
        "memory"
    }

    async fn connect(&self) -> Result<End, Status> {
        let next = self.left.lock().unwrap().pop_front();
        match next {
            Some(next) => Ok(next),
            None if self.patient => pending().await,
            None => Err(Status::unavailable("there is no server")),
        }
    }
}

fn peer(connections: impl IntoIterator<Item = End>) -> Peer<Dials> {
    let left = Mutex::new(connections.into_iter().collect());
    Peer::new(Dials { left, patient: false }, Codec::MessagePack, Limits::default())
}

fn served(service: impl Service) -> (End, Drain) {
    let (near, far) = pair();
    let drain = Drain::new();
    let inbound = Inbound::new(Channel::new(service));
    let caller = Arc::new(Caller::new("memory"));
    let following = drain.clone();
    tokio::spawn(async move { serve_connection(&far, caller, inbound, following, || Duration::ZERO).await });
    (near, drain)
}

/// A connection that drains, with a call on it that does not end, and those that are made in its place.
async fn draining(others: impl IntoIterator<Item = End>, patient: bool) -> (Peer<Dials>, JoinHandle<()>) {
    let called = Arc::new(Semaphore::new(0));
    let handler = called.clone();
    let (first, drain) = served(Answering(move |_, _| {
        handler.add_permits(1);
        pending()
    }));
    let left = Mutex::new([first].into_iter().chain(others).collect());
    let peer = Peer::new(Dials { left, patient }, Codec::MessagePack, Limits::default());
    let caller = peer.clone();
    let old = tokio::spawn(async move { drop(caller.unary(context(), note("old")).await) });
    within(called.acquire()).await.unwrap().forget();
    drain.stop();
    // The server learns of it before it learns of the next call.
    for _ in 0..4 {
        tokio::task::yield_now().await;
    }
    (peer, old)
}

#[tokio::test(start_paused = true)]
async fn a_call_that_a_draining_connection_refuses_is_made_once_more_on_a_new_one() {
    let (peer, old) = draining([served(Answering(echo)).0], false).await;
    let answer = within(peer.unary(context(), note("new"))).await.unwrap();
    assert_eq!(read(&answer.message), "new");
    assert!(!old.is_finished(), "the call on the old connection goes on");
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_a_draining_connection_refuses_is_made_once_more_whole() {
    let (peer, _old) = draining([served(Answering(echo)).0], false).await;
    let (sender, messages) = Streaming::channel(4);
    for text in ["a", "b"] {
        sender.send(Ok(note(text))).await.unwrap();
    }
    let mut answers = within(peer.stream(context(), messages)).await.unwrap().message;
    sender.send(Ok(note("c"))).await.unwrap();
    drop(sender);
    for text in ["a", "b", "c"] {
        assert_eq!(within(next(&mut answers)).await.unwrap().as_deref(), Some(text));
    }
    assert_eq!(within(next(&mut answers)).await.unwrap(), None);
}

#[tokio::test(start_paused = true)]
async fn where_there_is_no_other_connection_soon_the_refusal_is_told() {
    for patient in [false, true] {
        let (peer, _old) = draining([], patient).await;
        let begun = Instant::now();
        let status = within(peer.unary(context(), note("new"))).await.unwrap_err();
        assert_eq!((status.code(), status.is_not_processed()), (Code::Unavailable, true));
        assert_eq!(status.message(), "the peer is shutting down");
        let messages = Streaming::from_iter([note("a"), note("b")]);
        let status = within(peer.stream(context(), messages)).await.unwrap_err();
        assert!(status.is_not_processed(), "{status}");
        assert!(begun.elapsed() <= Duration::from_millis(1_100), "{:?}", begun.elapsed());
    }
}

#[tokio::test(start_paused = true)]
async fn one_that_is_refused_twice_is_not_made_again() {
    let (near, far) = pair();
    let refused = tokio::spawn(async move {
        let mut refused = 0;
        while let Ok((mut send, mut recv)) = far.accept().await {
            recv.stop(StreamCode::Refused);
            send.reset(StreamCode::Refused);
            refused += 1;
            if refused == 2 {
                break;
            }
        }
        (refused, far)
    });
    let status = within(peer([near]).unary(context(), note("x"))).await.unwrap_err();
    assert!(status.is_not_processed(), "{status}");
    assert_eq!(within(refused).await.unwrap().0, 2);
}

#[tokio::test(start_paused = true)]
async fn one_that_is_refused_at_a_limit_is_made_once_more_on_the_same_connection() {
    let (near, far) = pair();
    let answering = tokio::spawn(async move {
        let (mut send, mut recv) = far.accept().await.unwrap();
        recv.stop(StreamCode::Refused);
        send.reset(StreamCode::Refused);
        let (mut send, recv) = far.accept().await.unwrap();
        let mut answer = BytesMut::new();
        put(&mut answer, "at last");
        wire::put_tail(&mut answer, Ok(&Metadata::new()), 1 << 14);
        send.write(answer.freeze()).await.unwrap();
        send.finish();
        (far, recv)
    });
    let peer = peer([near]);
    let answer = within(peer.unary(context(), note("x"))).await.unwrap();
    assert_eq!(read(&answer.message), "at last");
    drop(answering);
}

#[tokio::test(start_paused = true)]
async fn one_whose_connection_is_lost_may_have_been_executed_and_is_not_made_again() {
    for idempotent in [false, true] {
        let called = Arc::new(Semaphore::new(0));
        let handler = called.clone();
        let (near, far) = pair();
        let waiting = Answering(move |_, _| {
            handler.add_permits(1);
            pending()
        });
        let inbound = Inbound::new(waiting.into_channel());
        let far = Arc::new(far);
        let (serving, caller) = (far.clone(), Arc::new(Caller::new("memory")));
        tokio::spawn(async move {
            serve_connection(&*serving, caller, inbound, Drain::new(), || Duration::ZERO).await;
        });
        let peer = peer([near]);
        let cx = Context { idempotent, ..context() };
        let call = tokio::spawn(async move { peer.unary(cx, note("x")).await.map(drop) });
        within(called.acquire()).await.unwrap().forget();
        carrier::lose(&far, &Status::unavailable("the cable was cut"));
        let status = within(call).await.unwrap().unwrap_err();
        assert_eq!((status.code(), status.is_not_processed()), (Code::Unavailable, false));
        let maybe = status.message().ends_with("; the call may have been executed");
        assert_eq!(maybe, !idempotent, "{status}");
    }
}
