use std::sync::{Arc, Mutex};

use bytes::Bytes;

use super::*;
use crate::Metadata;
use crate::context::Path;

/// Notes each call, and answers as the function says.
struct Target<F> {
    calls: Arc<Mutex<Vec<Call>>>,
    answer: F,
}

#[derive(Debug, PartialEq)]
struct Call {
    verb: &'static str,
    codec: Option<Codec>,
    metadata: Metadata,
    at_once: bool,
}

impl<F: Fn() -> Result<(), Status> + Send + Sync + 'static> Service for Target<F> {
    async fn unary(&self, cx: Context, message: Payload) -> Result<Response<Payload>, Status> {
        let call = Call { verb: "unary", codec: cx.codec, metadata: cx.metadata, at_once: true };
        self.calls.lock().unwrap().push(call);
        (self.answer)().map(|()| Response::new(message))
    }

    async fn stream(
        &self,
        cx: Context,
        messages: Streaming<Payload>,
    ) -> Result<Response<Streaming<Payload>>, Status> {
        let messages = messages.into_single();
        let at_once = messages.is_ok();
        let messages = messages.map_or_else(|messages| messages, Streaming::once);
        self.calls.lock().unwrap().push(Call {
            verb: "stream",
            codec: cx.codec,
            metadata: cx.metadata,
            at_once,
        });
        (self.answer)().map(|()| Response::new(messages))
    }
}

fn gateway(
    answer: impl Fn() -> Result<(), Status> + Send + Sync + 'static,
) -> (Gateway, Arc<Mutex<Vec<Call>>>) {
    let calls = Arc::default();
    (Gateway::new(Target { calls: Arc::clone(&calls), answer }), calls)
}

fn message(text: &'static str) -> Payload {
    Payload::encoded(Codec::Protobuf, Bytes::from_static(text.as_bytes()))
}

/// A context as a transport makes it of a call that came in.
fn arrived(codec: Codec) -> Context {
    let mut cx = Context::new().with_codec(codec).with_metadata("tenant", "blue").unwrap();
    cx.path = Path::Static("/a.A/Get");
    cx
}

async fn all(mut messages: Streaming<Payload>) -> Vec<Bytes> {
    let mut all = Vec::new();
    while let Some(message) = messages.message().await.unwrap() {
        all.push(message.as_encoded(Codec::Protobuf).unwrap().clone());
    }
    all
}

#[tokio::test]
async fn what_came_with_a_call_goes_on_with_it() {
    let (gateway, calls) = gateway(|| Ok(()));
    let answer = gateway.unary(arrived(Codec::MessagePack), message("a")).await.unwrap();
    assert_eq!(answer.message.as_encoded(Codec::Protobuf).unwrap(), "a");
    let metadata = arrived(Codec::Protobuf).with_metadata("via", "polywire gateway").unwrap().metadata;
    let codec = Some(Codec::MessagePack);
    assert_eq!(*calls.lock().unwrap(), [Call { verb: "unary", codec, metadata, at_once: true }]);
}

#[tokio::test]
async fn messages_keep_their_order_whenever_they_come() {
    let (gateway, calls) = gateway(|| Ok(()));
    let ready = |texts: &[&'static str]| {
        Streaming::new(stream::iter(texts.iter().map(|text| Ok(message(text))).collect::<Vec<_>>()))
    };
    let late = || {
        Box::pin(stream::once(async {
            tokio::task::yield_now().await;
            Ok(message("late"))
        }))
    };
    let cases = [
        (ready(&[]), vec![], false),
        (ready(&["a"]), vec!["a"], true),
        (ready(&["a", "b", "c"]), vec!["a", "b", "c"], false),
        (Streaming::new(late()), vec!["late"], false),
        (Streaming::new(ready(&["a"]).chain(late())), vec!["a", "late"], false),
        (Streaming::new(ready(&["a", "b"]).chain(late())), vec!["a", "b", "late"], false),
    ];
    for (messages, expected, at_once) in cases {
        let echo = gateway.stream(arrived(Codec::Protobuf), messages).await.unwrap();
        assert_eq!(all(echo.message).await, expected);
        assert_eq!(calls.lock().unwrap().pop().unwrap().at_once, at_once, "{expected:?}");
    }
}

#[tokio::test]
async fn messages_that_failed_already_do_not_trouble_the_target() {
    let (gateway, calls) = gateway(|| Ok(()));
    let failed = Streaming::new(stream::iter([Err(Status::resource_exhausted("too large"))]));
    let status = gateway.stream(arrived(Codec::Protobuf), failed).await.unwrap_err();
    assert_eq!(status.code(), Code::ResourceExhausted);
    assert!(calls.lock().unwrap().is_empty());
}

#[tokio::test]
async fn a_codec_that_the_target_does_not_take_is_refused_before_it_is_asked() {
    let (gateway, calls) = gateway(|| Ok(()));
    let gateway = gateway.codecs([Codec::Protobuf]);
    let status = gateway.unary(arrived(Codec::MessagePack), message("")).await.unwrap_err();
    assert_eq!(status.code(), Code::Unimplemented);
    assert!(status.is_not_processed());
    assert_eq!(status.message(), "the target of this gateway takes calls in protobuf and not in msgpack");
    assert!(calls.lock().unwrap().is_empty());
    gateway.unary(arrived(Codec::Protobuf), message("")).await.unwrap();
}

#[tokio::test]
async fn only_what_no_handler_said_is_explained() {
    let unreached = || Status::unavailable("refused").with_details(vec![1]).not_processed();
    let (gateway, _) = gateway(move || Err(unreached()));
    let status = gateway.over("iroh").unary(arrived(Codec::Protobuf), message("")).await.unwrap_err();
    assert_eq!(status.message(), "the gateway's target cannot be reached over iroh: refused");
    assert!(status.is_not_processed());
    assert_eq!(status.details(), &[1][..]);
    let (gateway, _) = self::gateway(|| Err(Status::unavailable("as the handler says")));
    let status = gateway.unary(arrived(Codec::Protobuf), message("")).await.unwrap_err();
    assert_eq!(status.message(), "as the handler says");
}

#[tokio::test(start_paused = true)]
async fn a_target_is_there_when_it_answers_whatever_it_says() {
    let (reached, calls) = gateway(|| Err(Status::unimplemented("no health service here")));
    assert_eq!(reached.check().await, Ok(()));
    assert_eq!(calls.lock().unwrap().len(), 1);
    let (lost, _) = gateway(|| Err(Status::unavailable("refused").not_processed()));
    let reason = lost.over("grpc").check().await.unwrap_err();
    assert_eq!(reason, "the gateway's target cannot be reached over grpc: refused");
}

/// Never answers.
struct Silent;

impl Service for Silent {
    async fn unary(&self, _: Context, _: Payload) -> Result<Response<Payload>, Status> {
        std::future::pending().await
    }

    async fn stream(
        &self,
        _: Context,
        _: Streaming<Payload>,
    ) -> Result<Response<Streaming<Payload>>, Status> {
        std::future::pending().await
    }
}

#[tokio::test(start_paused = true)]
async fn a_target_that_says_nothing_is_not_there() {
    assert_eq!(Gateway::new(Silent).check().await, Err("no answer within 4s".to_owned()));
}
