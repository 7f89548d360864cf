use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tower::limit::ConcurrencyLimitLayer;

use super::*;
use crate::{Alias, Channel, Code, Codec, Gateway, Router, ServiceExt as _};

#[derive(Clone, PartialEq, prost::Message, Serialize, Deserialize)]
struct Note {
    #[prost(string, tag = "1")]
    text: String,
}

#[polywire::service(package = "reached.v1")]
trait Reached {
    async fn unary(&self, note: Note) -> Result<Note, Status>;
    async fn download(&self, note: Note) -> Result<Streaming<Note>, Status>;
}

#[derive(Clone, Default)]
struct Counting(Arc<AtomicUsize>);

impl Reached for Counting {
    async fn unary(&self, note: Note) -> Result<Note, Status> {
        self.0.fetch_add(1, Ordering::SeqCst);
        Ok(note)
    }

    async fn download(&self, note: Note) -> Result<Streaming<Note>, Status> {
        self.0.fetch_add(1, Ordering::SeqCst);
        let first = futures_util::stream::once(async { Ok(note) });
        Ok(Streaming::new(futures_util::StreamExt::chain(first, futures_util::stream::pending())))
    }
}

/// Every way to the service within a process, and how many handlers have begun.
fn ways() -> (Vec<(&'static str, Channel)>, Arc<AtomicUsize>) {
    const OTHER: ServiceInfo =
        ServiceInfo::new("reached.v1.Reached", "", &[Method::unary("/reached.v1.Reached/Unary")]);
    let counting = Counting::default();
    let begun = counting.0.clone();
    let server = ReachedServer::new(counting);
    let router = Router::new().with(server.clone());
    let outer = Router::new();
    outer.set_fallback(router.clone());
    let counter = begun.clone();
    let function = move |_: Context, note: Note| {
        counter.fetch_add(1, Ordering::SeqCst);
        async { Ok::<_, Status>(note) }
    };
    let ways = vec![
        ("the server", server.clone().into_channel()),
        ("a layer", server.clone().layer(&ConcurrencyLimitLayer::new(8)).into_channel()),
        ("a router", router.clone().into_channel()),
        ("a router's fallback", Channel::new(outer)),
        ("a gateway", Gateway::new(router).into_channel()),
        (
            "a facade's method",
            Alias::new(OTHER).method("Unary", server, "/reached.v1.Reached/Unary").into_channel(),
        ),
        ("a facade's function", Alias::new(OTHER).function("Unary", function).into_channel()),
    ];
    (ways, begun)
}

fn context(method: &'static str) -> Context {
    Context { path: Path::Static(method), ..Context::new() }
}

const UNARY: &str = "/reached.v1.Reached/Unary";
const DOWNLOAD: &str = "/reached.v1.Reached/Download";

/// The call by both verbs, as far as it fails.
async fn failures(channel: &Channel, cx: impl Fn() -> Context, message: impl Fn() -> Payload) -> [Status; 2] {
    let unary = channel.unary(cx(), message()).await.map(|_| ()).unwrap_err();
    let stream = match channel.stream(cx(), Streaming::once(message())).await {
        Ok(mut answers) => answers.message.message().await.map(|_| ()).unwrap_err(),
        Err(status) => status,
    };
    [unary, stream]
}

#[tokio::test(start_paused = true)]
async fn a_call_whose_time_is_over_starts_no_handler_by_whatever_way_it_comes() {
    let (ways, begun) = ways();
    for (way, channel) in ways {
        let over = || context(UNARY).with_timeout(Duration::ZERO);
        for status in failures(&channel, over, || Payload::new(Note::default())).await {
            assert_eq!(status.code(), Code::DeadlineExceeded, "{way}");
            assert!(status.is_not_processed(), "{way}");
        }
        assert_eq!(begun.load(Ordering::SeqCst), 0, "{way}");
    }
}

#[tokio::test]
async fn a_request_that_is_no_message_is_the_callers_mistake_by_whatever_way_it_comes() {
    let (ways, begun) = ways();
    let junk = || Payload::encoded(Codec::Protobuf, bytes::Bytes::from_static(&[0x0a, 5, b'x']));
    for (way, channel) in ways {
        for status in failures(&channel, || context(UNARY), junk).await {
            assert_eq!(status.code(), Code::InvalidArgument, "{way}: {status}");
            assert!(status.is_not_processed(), "{way}");
        }
        assert_eq!(begun.load(Ordering::SeqCst), 0, "{way}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_method_that_streams_takes_no_unary_call() {
    let (ways, begun) = ways();
    for (way, channel) in ways.into_iter().filter(|(way, _)| !way.contains("facade")) {
        let call = channel.unary(context(DOWNLOAD), Payload::new(Note::default()));
        let outcome = tokio::time::timeout(Duration::from_secs(1), call).await;
        let status = outcome.expect("it does not wait for what may never come").map(|_| ()).unwrap_err();
        assert_eq!(status.code(), Code::Unimplemented, "{way}");
        assert!(status.is_not_processed(), "{way}");
        assert!(status.message().contains("server streaming"), "{way}: {status}");
        assert_eq!(begun.load(Ordering::SeqCst), 0, "{way}");
    }
}
