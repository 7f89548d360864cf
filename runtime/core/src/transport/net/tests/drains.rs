use std::convert::Infallible;
use std::sync::Arc;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Empty, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::client::conn::http2::{SendRequest, handshake};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::mpsc;

use super::super::{HttpService, ListenerOptions};
use super::{Answering, Served, hello};

/// One open answer: what it sends, and whether its body is still held by the server.
struct Watch {
    send: mpsc::UnboundedSender<Bytes>,
    held: std::sync::Weak<()>,
    body: Incoming,
}

impl Watch {
    async fn next(&mut self) -> Option<Result<Bytes, hyper::Error>> {
        let frame = self.body.frame().await?;
        Some(frame.map(|frame| frame.into_data().expect("data")))
    }
}

/// Answers each request with what a test sends.
fn watched()
-> (impl HttpService, mpsc::UnboundedReceiver<(mpsc::UnboundedSender<Bytes>, std::sync::Weak<()>)>) {
    let (opened, watches) = mpsc::unbounded_channel();
    let service = Answering(move |_| {
        let (send, mut chunks) = mpsc::unbounded_channel();
        let held = Arc::new(());
        opened.send((send, Arc::downgrade(&held))).expect("the test waits");
        let body = futures_util::stream::poll_fn(move |cx| {
            let _held = &held;
            chunks.poll_recv(cx).map(|chunk| chunk.map(|chunk| Ok::<_, Infallible>(Frame::data(chunk))))
        });
        async move { Response::new(StreamBody::new(body)) }
    });
    (service, watches)
}

async fn client(served: &Served) -> SendRequest<Empty<Bytes>> {
    let (client, connection) =
        handshake(TokioExecutor::new(), TokioIo::new(served.connect(1 << 16))).await.expect("a connection");
    tokio::spawn(connection);
    client
}

fn request() -> Request<Empty<Bytes>> {
    Request::get("http://a/").body(Empty::new()).expect("a request")
}

/// A listener, a client of it, and an answer that is open.
async fn watching() -> (Served, SendRequest<Empty<Bytes>>, Watch) {
    let (service, mut watches) = watched();
    let served = Served::http2(ListenerOptions::default(), service);
    let mut client = client(&served).await;
    let body = client.send_request(request()).await.expect("an answer").into_body();
    let (send, held) = watches.recv().await.expect("a watch");
    (served, client, Watch { send, held, body })
}

#[tokio::test(start_paused = true)]
async fn a_stop_lets_an_open_answer_finish() {
    let (served, mut client, mut watch) = watching().await;
    served.drain.stop();
    // Whoever asks before the goodbye has arrived is still answered.
    let mut attempts = 0;
    while client.send_request(request()).await.is_ok() {
        attempts += 1;
        assert!(attempts < 100, "the client was not told");
    }
    watch.send.send(Bytes::from_static(b"still here")).unwrap();
    assert_eq!(watch.next().await.unwrap().unwrap(), "still here");
    assert!(!served.serving.is_finished());

    drop(watch.send);
    assert!(watch.body.collect().await.expect("a clean end").to_bytes().is_empty());
    served.serving.await.unwrap();
    assert!(served.dial.is_closed(), "nothing is accepted any more");
}

#[tokio::test(start_paused = true)]
async fn a_stop_closes_the_listener_while_answers_are_open() {
    let (served, _client, _watch) = watching().await;
    served.drain.stop();
    served.dial.closed().await;
    assert!(!served.serving.is_finished());
}

#[tokio::test(start_paused = true)]
async fn a_cut_ends_what_a_stop_left() {
    let (served, _client, mut watch) = watching().await;
    served.drain.stop();
    served.drain.cut();
    served.serving.await.unwrap();
    assert!(watch.held.upgrade().is_none(), "the handler's body is dropped when serving has returned");
    assert!(watch.next().await.unwrap().is_err(), "not a clean end");
}

#[tokio::test(start_paused = true)]
async fn a_cut_ends_handlers_that_have_not_answered() {
    let held = Arc::new(());
    let (entered, mut inside) = mpsc::unbounded_channel();
    let service = {
        let held = held.clone();
        Answering(move |_| {
            let (held, entered) = (held.clone(), entered.clone());
            async move {
                let _held = held;
                entered.send(()).expect("the test waits");
                std::future::pending::<Response<Empty<Bytes>>>().await
            }
        })
    };
    let served = Served::http2(ListenerOptions::default(), service);
    let mut client = client(&served).await;
    let answer = tokio::spawn(client.send_request(request()));
    inside.recv().await.expect("the handler runs");
    served.drain.cut();
    served.serving.await.unwrap();
    assert_eq!(Arc::strong_count(&held), 1, "no handler runs when serving has returned");
    assert!(answer.await.unwrap().is_err());
}

#[tokio::test(start_paused = true)]
async fn a_stop_does_not_wait_for_clients_without_calls() {
    let began = tokio::time::Instant::now();
    let served = Served::http2(ListenerOptions::default(), hello());
    let _silent = served.connect(64);
    let _idle = client(&served).await;
    served.opened(2).await;
    served.drain.stop();
    served.serving.await.unwrap();
    assert!(began.elapsed().is_zero());

    let served = Served::http1(ListenerOptions::default(), hello());
    let mut idle = served.connect(1 << 10);
    idle.write_all(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
    idle.read_u8().await.unwrap();
    served.drain.stop();
    served.serving.await.unwrap();
    assert!(began.elapsed().is_zero());
}
