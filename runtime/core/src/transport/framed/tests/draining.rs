use std::sync::{Arc, Mutex};

use tokio::sync::Semaphore;

use super::peers::{Answering, Peers, call, echo, serve, within};
use crate::{
    Channel, Code, Limits,
    transport::framed::{RecvStream, SendStream, StreamError},
    wire::StreamCode,
};

/// A service that says that it was called, and answers once it may.
struct Gated {
    peers: Peers,
    serving: tokio::task::JoinHandle<()>,
    called: Arc<Semaphore>,
    may_answer: Arc<Semaphore>,
}

fn gated() -> Gated {
    let called = Arc::new(Semaphore::new(0));
    let may_answer = Arc::new(Semaphore::new(0));
    let gates = (called.clone(), may_answer.clone());
    let service = Answering(move |cx, messages| {
        let (called, may_answer) = gates.clone();
        async move {
            called.add_permits(1);
            let _permit = may_answer.acquire().await.expect("the gate stays");
            echo(cx, messages).await
        }
    });
    let (peers, serving) = serve(service, Limits::default());
    Gated { peers, serving, called, may_answer }
}

#[tokio::test(start_paused = true)]
async fn a_drain_refuses_new_calls_as_not_processed_and_finishes_old_ones() {
    let Gated { peers, serving, called, may_answer } = gated();
    let caller = peers.clone();
    let old = tokio::spawn(async move { caller.ask("old").await });
    called.acquire().await.unwrap().forget();
    peers.drain().stop();
    // Whoever serves learns of it before it learns of the next call.
    tokio::task::yield_now().await;
    let status = within(peers.ask("new")).await.unwrap_err();
    assert_eq!((status.code(), status.is_not_processed()), (Code::Unavailable, true));
    assert!(!serving.is_finished());
    may_answer.add_permits(1);
    assert_eq!(within(old).await.unwrap().unwrap(), "old");
    within(serving).await.unwrap();
    assert_eq!(called.available_permits(), 0, "the new call reached no handler");
}

#[tokio::test(start_paused = true)]
async fn a_refused_stream_is_reset_and_stopped() {
    let Gated { peers, serving: _serving, called, .. } = gated();
    let (_send, _recv) = peers.open(call("old"), true).await;
    called.acquire().await.unwrap().forget();
    peers.drain().stop();
    tokio::task::yield_now().await;
    let (send, mut recv) = peers.open(call("new").split_to(5), false).await;
    assert!(matches!(within(recv.read()).await, Err(StreamError::Reset(StreamCode::ShuttingDown))));
    within(send.stopped()).await;
}

#[tokio::test(start_paused = true)]
async fn a_drain_without_calls_ends_at_once() {
    let Gated { peers, serving, .. } = gated();
    peers.drain().stop();
    within(serving).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn cutting_what_serves_drops_its_handlers() {
    let (guard, gone) = super::peers::held();
    let called = Arc::new(Semaphore::new(0));
    let held = (called.clone(), Mutex::new(Some(guard)));
    let (peers, serving) = serve(
        Answering(move |_, _| {
            let guard = held.1.lock().unwrap().take();
            held.0.add_permits(1);
            async move {
                let _guard = guard;
                std::future::pending().await
            }
        }),
        Limits::default(),
    );
    let caller = peers.clone();
    let call = tokio::spawn(async move { caller.ask("hello").await });
    called.acquire().await.unwrap().forget();
    serving.abort();
    gone.await;
    assert!(within(call).await.unwrap().is_err());
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_is_lost_while_draining_ends_the_serving() {
    let Gated { peers, serving, called, .. } = gated();
    let (_send, _recv) = peers.open(call("old"), true).await;
    called.acquire().await.unwrap().forget();
    peers.drain().stop();
    tokio::task::yield_now().await;
    peers.lose_connection(&crate::Status::unavailable("the cable was cut"));
    within(serving).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_refused_stream_counts_as_what_its_caller_is_told() {
    use super::peers::serve_inbound;
    use crate::{
        observer::recorder::Recorder,
        transport::{Inbound, Serving},
    };

    let may_answer = Arc::new(Semaphore::new(0));
    let gate = may_answer.clone();
    let service = Answering(move |cx, messages| {
        let gate = gate.clone();
        async move {
            let _permit = gate.acquire().await.expect("the gate stays");
            echo(cx, messages).await
        }
    });
    let metrics = Recorder::default();
    let service = Channel::new(service);
    let counted = Serving::new(service, crate::Drain::new()).observer(Arc::new(metrics.clone()));
    let (peers, serving) = serve_inbound(Inbound::from(&counted));
    let caller = peers.clone();
    let old = tokio::spawn(async move { caller.ask("old").await });
    tokio::task::yield_now().await;
    peers.drain().stop();
    tokio::task::yield_now().await;
    within(peers.ask("new")).await.unwrap_err();
    may_answer.add_permits(1);
    within(old).await.unwrap().unwrap();
    within(serving).await.unwrap();
    let page = metrics.page();
    for code in ["OK", "UNAVAILABLE"] {
        let labels = format!("code=\"{code}\",method=\"unknown\",service=\"unknown\",transport=\"memory\"");
        let expected = format!("polywire_server_calls_total{{{labels}}} 1");
        assert!(page.lines().any(|line| line == expected), "{expected} in {page}");
    }
}
