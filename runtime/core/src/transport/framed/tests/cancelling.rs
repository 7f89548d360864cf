use std::sync::Mutex;

use futures_util::{FutureExt, StreamExt};
use tokio::sync::oneshot;

use super::{
    carrier::taken,
    peers::{Answered, Peers, connect, connect_raw, context, echo, head, held, next, note, put, within},
};
use crate::{
    Code, Limits, Response, Service, Status, Streaming,
    transport::framed::{Connection, RecvStream, SendStream, StreamError},
    wire::StreamCode,
};

/// A service that holds a guard for ever, and what tells that it was called and that it let go.
fn holding() -> (Peers, impl Future<Output = ()>, impl Future<Output = ()>) {
    let (guard, gone) = held();
    let (called, is_called) = oneshot::channel();
    let once = Mutex::new(Some((guard, called)));
    let peers = connect(move |_, _| {
        let once = once.lock().unwrap().take();
        async move {
            let (_guard, called) = once.expect("it is called once");
            called.send(()).unwrap();
            std::future::pending().await
        }
    });
    (peers, async { within(is_called).await.unwrap() }, gone)
}

#[tokio::test(start_paused = true)]
async fn a_caller_that_gives_up_a_unary_call_drops_its_handler() {
    let (peers, called, gone) = holding();
    let call = tokio::spawn({
        let caller = peers.clone();
        async move { caller.ask("hello").await }
    });
    called.await;
    call.abort();
    gone.await;
}

#[tokio::test(start_paused = true)]
async fn a_caller_that_gives_up_a_stream_before_its_head_drops_its_handler() {
    let (peers, called, gone) = holding();
    let forever = Streaming::new(futures_util::stream::pending());
    let call = tokio::spawn({
        let caller = peers.clone();
        async move { caller.stream(context(), forever).await }
    });
    called.await;
    call.abort();
    gone.await;
}

#[tokio::test(start_paused = true)]
async fn dropping_the_answers_drops_both_streams() {
    let (guard, gone) = held();
    let guard = Mutex::new(Some(guard));
    let peers = connect(move |_, _| {
        let guard = guard.lock().unwrap().take();
        async move {
            let rest = futures_util::stream::pending().map(move |message| {
                let _held = &guard;
                message
            });
            Ok(Response::new(Streaming::new(futures_util::stream::iter([Ok(note("one"))]).chain(rest))))
        }
    });
    let (questions, messages) = Streaming::channel(1);
    let mut answers = within(peers.stream(context(), messages)).await.unwrap().message;
    assert_eq!(within(next(&mut answers)).await.unwrap().as_deref(), Some("one"));
    drop(answers);
    gone.await;
    within(questions.closed()).await;
}

#[tokio::test(start_paused = true)]
async fn a_lost_connection_drops_its_handlers_and_fails_its_calls() {
    let (peers, called, gone) = holding();
    let call = tokio::spawn({
        let caller = peers.clone();
        async move { caller.ask("hello").await }
    });
    called.await;
    peers.lose_connection(&Status::unavailable("the cable was cut"));
    gone.await;
    let status = within(call).await.unwrap().unwrap_err();
    assert_eq!(status.code(), Code::Unavailable);
    assert!(status.message().contains("the cable was cut"), "{status}");
    assert!(!status.is_not_processed(), "the handler has seen the call");
    assert!(within(peers.ask("again")).await.unwrap_err().is_not_processed());
}

#[tokio::test(start_paused = true)]
async fn a_handler_that_fails_early_is_heard_while_the_caller_still_sends() {
    let peers = connect(async |_, mut messages| {
        next(&mut messages).await?;
        Err(Status::invalid_argument("enough"))
    });
    let (guard, gone) = held();
    let endless = futures_util::stream::repeat_with(move || {
        let _held = &guard;
        Ok(note("more"))
    });
    let status = within(peers.stream(context(), Streaming::new(endless))).await.unwrap_err();
    assert_eq!((status.code(), status.message()), (Code::InvalidArgument, "enough"));
    gone.await;
}

#[tokio::test(start_paused = true)]
async fn a_responder_that_is_done_tells_the_caller_to_stop() {
    let peers = connect(async |_, _| Err(Status::invalid_argument("enough")));
    let (send, recv) = peers.open(head(false, None), false).await;
    assert_eq!(within(Answered::read(recv)).await.unwrap().code(), Code::InvalidArgument);
    within(send.stopped()).await;
}

#[tokio::test(start_paused = true)]
async fn requests_that_fail_on_this_side_end_the_call_with_their_status() {
    let (peers, called, gone) = holding();
    let (questions, messages) = Streaming::channel(1);
    let call = tokio::spawn({
        let caller = peers.clone();
        async move { caller.stream(context(), messages).await.map(|_| ()) }
    });
    called.await;
    questions.send(Err(Status::aborted("the disk is full"))).await.unwrap();
    let status = within(call).await.unwrap().unwrap_err();
    assert_eq!((status.code(), status.message()), (Code::Aborted, "the disk is full"));
    gone.await;
}

#[tokio::test(start_paused = true)]
async fn requests_that_are_reset_fail_in_the_handler() {
    let (heard, hears) = oneshot::channel();
    let heard = Mutex::new(Some(heard));
    let peers = connect(move |_, mut messages| {
        let heard = heard.lock().unwrap().take();
        async move {
            assert_eq!(next(&mut messages).await?.as_deref(), Some("one"));
            let end = next(&mut messages).await;
            if let Some(heard) = heard {
                heard.send(end.unwrap_err()).unwrap();
            }
            Ok(Response::new(Streaming::empty()))
        }
    });
    let mut bytes = head(false, None);
    put(&mut bytes, "one");
    let (mut send, recv) = peers.open(bytes, false).await;
    // A reset throws away what was not read.
    within(taken(&send)).await;
    send.reset(StreamCode::Cancelled);
    assert_eq!(within(hears).await.unwrap().code(), Code::Cancelled);
    assert_eq!(within(Answered::read(recv)).await.unwrap().code(), Code::Ok);
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_is_reset_says_so_and_never_looks_whole() {
    let cases = [
        (StreamCode::NoError, Code::Unavailable, false),
        (StreamCode::Cancelled, Code::Unavailable, false),
        (StreamCode::Refused, Code::Unavailable, true),
        (StreamCode::ShuttingDown, Code::Unavailable, true),
        (StreamCode::ProtocolError, Code::Internal, false),
    ];
    for (code, expected, not_processed) in cases {
        let (peers, far) = connect_raw(Limits::default());
        let server = async {
            let (mut send, recv) = far.accept().await.unwrap();
            send.reset(code);
            recv
        };
        let (outcome, _recv) = within(async { tokio::join!(peers.ask("hello"), server) }).await;
        let status = outcome.unwrap_err();
        assert_eq!((status.code(), status.is_not_processed()), (expected, not_processed), "{code:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_caller_that_gives_up_resets_what_it_sends_and_stops_what_it_reads() {
    let (peers, far) = connect_raw(Limits::default());
    let forever = Streaming::new(futures_util::stream::pending());
    let call = tokio::spawn({
        let caller = peers.clone();
        async move { caller.stream(context(), forever).await }
    });
    let (send, mut recv) = within(far.accept()).await.unwrap();
    assert!(send.stopped().now_or_never().is_none());
    assert!(within(recv.read()).await.unwrap().is_some(), "the head comes first");
    call.abort();
    within(send.stopped()).await;
    assert!(matches!(within(recv.read()).await, Err(StreamError::Reset(StreamCode::Cancelled))));
}

#[tokio::test(start_paused = true)]
async fn a_handler_that_panics_costs_its_own_call_alone() {
    let peers = connect(async |cx, mut messages| {
        let message = messages.message().await?;
        match message {
            Some(message) if super::peers::read(&message) == "panic" => panic!("as it was told"),
            message => echo(cx, Streaming::from_iter(message)).await,
        }
    });
    assert_eq!(within(peers.ask("panic")).await.unwrap_err().code(), Code::Internal);
    assert_eq!(within(peers.ask("hello")).await.unwrap(), "hello");
}
