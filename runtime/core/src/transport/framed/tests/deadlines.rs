use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use tokio::{sync::oneshot, time::Instant};

use super::peers::{Answered, Peers, call, connect, context, echo, head, held, note, put, serve, within};
use crate::{
    Body, Code, Context, Limits, Method, Response, Server, Service, ServiceInfo, Status, Streaming,
    server::{Definition, Dispatch},
    transport::framed::RecvStream,
    wire,
};

const SECOND: Duration = Duration::from_secs(1);

#[tokio::test(start_paused = true)]
async fn the_time_left_travels() {
    let peers = connect(async |cx, messages| {
        assert_eq!(cx.time_left(), Some(SECOND));
        echo(cx, messages).await
    });
    within(peers.unary(context().with_timeout(SECOND), note("hello"))).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_call_whose_time_is_up_is_not_made() {
    let called = Arc::new(AtomicBool::new(false));
    let sees = called.clone();
    let peers = connect(move |cx, messages| {
        sees.store(true, Ordering::Relaxed);
        echo(cx, messages)
    });
    let status = within(peers.unary(context().with_timeout(Duration::ZERO), note("late"))).await.unwrap_err();
    assert_eq!(status.code(), Code::DeadlineExceeded);
    assert!(status.is_not_processed());
    within(peers.ask("in time")).await.unwrap();
    assert!(called.swap(false, Ordering::Relaxed), "the second call is seen");
}

#[tokio::test(start_paused = true)]
async fn a_question_that_does_not_end_in_time_is_answered_when_the_time_is_up() {
    let peers = connect(echo);
    let begun = Instant::now();
    let mut bytes = head(true, Some(SECOND));
    put(&mut bytes, "and");
    let (_send, recv) = peers.open(bytes, false).await;
    let answered = within(Answered::read(recv)).await.unwrap();
    assert_eq!((answered.code(), begun.elapsed()), (Code::DeadlineExceeded, SECOND));
}

#[tokio::test(start_paused = true)]
async fn a_handler_that_overruns_is_dropped_and_its_caller_told() {
    let (peers, gone) = serve_forever();
    let begun = Instant::now();
    let mut bytes = head(true, Some(SECOND));
    put(&mut bytes, "hello");
    wire::put_end(&mut bytes);
    let answered = peers.answer_to(bytes).await;
    assert_eq!((answered.code(), begun.elapsed()), (Code::DeadlineExceeded, SECOND));
    gone.await;
}

#[tokio::test(start_paused = true)]
async fn a_caller_that_reads_no_more_holds_no_handler_past_its_deadline() {
    let (guard, gone) = held();
    let guard = Mutex::new(Some(guard));
    let peers = connect(move |_, _| {
        let guard = guard.lock().unwrap().take();
        async move {
            let endless = futures_util::stream::repeat_with(move || {
                let _held = &guard;
                Ok(note("more"))
            });
            Ok(Response::new(Streaming::new(endless)))
        }
    });
    let begun = Instant::now();
    let mut bytes = head(false, Some(SECOND));
    wire::put_end(&mut bytes);
    let (_send, mut recv) = peers.open(bytes, true).await;
    gone.await;
    assert_eq!(begun.elapsed(), SECOND);
    let end = within(async {
        loop {
            match recv.read().await {
                Ok(Some(_)) => {}
                end => return end,
            }
        }
    });
    assert!(end.await.is_err(), "a torn frame must not look like an end");
}

#[tokio::test(start_paused = true)]
async fn the_longest_timeout_there_is_is_only_long() {
    let mut bytes = head(true, Some(Duration::MAX));
    put(&mut bytes, "hello");
    wire::put_end(&mut bytes);
    assert_eq!(connect(echo).answer_to(bytes).await.code(), Code::Ok);
}

#[tokio::test(start_paused = true)]
async fn a_call_without_timeout_may_last() {
    let peers = connect(async |cx, messages| {
        assert_eq!(cx.deadline(), None);
        tokio::time::sleep(3600 * SECOND).await;
        echo(cx, messages).await
    });
    assert_eq!(peers.answer_to(call("hello")).await.code(), Code::Ok);
}

/// A server whose one method never returns, and what tells that its future was dropped.
fn serve_forever() -> (Peers, impl Future<Output = ()>) {
    let (guard, gone) = held();
    let server = Server::<Endless, _>::new(Mutex::new(Some(guard)));
    (serve(server, Limits::default()).0, gone)
}

struct Endless;

impl Definition for Endless {
    const SERVICE: ServiceInfo = ServiceInfo::new("demo.v1.Demo", "", &[Method::unary("/demo.v1.Demo/Get")]);
}

impl Dispatch<Mutex<Option<oneshot::Sender<()>>>> for Endless {
    async fn dispatch(
        service: &Mutex<Option<oneshot::Sender<()>>>,
        _: &'static Method,
        _: &Context,
        _: Body,
    ) -> Result<Response<Body>, Status> {
        let _guard = service.lock().unwrap().take();
        std::future::pending().await
    }
}
