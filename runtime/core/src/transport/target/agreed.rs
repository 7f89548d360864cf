use std::sync::{
    Arc,
    atomic::{AtomicU8, Ordering},
};

use futures_util::{TryFutureExt as _, future::BoxFuture};

use super::replay::Replay;
use crate::{Channel, Codec, Context, Method, Payload, Response, Service, ServiceInfo, Status, Streaming};

/// A way to a peer whose calls travel in a codec that the peer takes. A call that leaves the codec to the transport, and
/// that the peer refuses because of it before any handler has seen it, is made again in one that both know; that one is
/// remembered. A call that names its codec keeps it.
pub(super) struct Agreed {
    inner: Channel,
    /// The transport's own.
    codec: Codec,
    state: AtomicU8,
}

/// What is known of the peer: nothing, that it takes the transport's own codec, or that it takes another.
const OPEN: u8 = 0;
const OWN: u8 = 1;
const OTHER: u8 = 2;

impl Agreed {
    pub(super) fn new(inner: Channel, codec: Codec) -> Self {
        Self { inner, codec, state: AtomicU8::new(OPEN) }
    }

    fn other(codec: Codec) -> Codec {
        match codec {
            Codec::Protobuf => Codec::MessagePack,
            Codec::MessagePack => Codec::Protobuf,
        }
    }

    /// Chooses the call's codec where the call does not; true where the peer may refuse it.
    fn choose(&self, cx: &mut Context) -> bool {
        if cx.codec.is_some() {
            return false;
        }
        match self.state.load(Ordering::Relaxed) {
            OPEN => return true,
            OTHER => cx.codec = Some(Self::other(self.codec)),
            _ => {}
        }
        false
    }

    /// Learns from how a call ended in the transport's own codec: the codec for another attempt, where the peer has said
    /// so.
    fn learn(&self, outcome: Result<(), &Status>) -> Option<Codec> {
        let refusal = match outcome {
            Ok(()) => None,
            Err(status) => match status.codecs_taken() {
                // What no handler has seen says nothing of codecs.
                None if status.is_not_processed() => return None,
                taken => taken,
            },
        };
        let other = Self::other(self.codec);
        let changed = refusal.is_some_and(|taken| taken.contains(&other));
        self.state.store(if changed { OTHER } else { OWN }, Ordering::Relaxed);
        changed.then_some(other)
    }

    /// Forgets what was agreed where it is refused: another peer may answer at the same place.
    fn doubt(&self, refused: &Status) {
        if refused.codecs_taken().is_some() {
            self.state.store(OPEN, Ordering::Relaxed);
        }
    }
}

impl Agreed {
    /// A call in the transport's own codec, of which it is not known yet whether the peer takes it.
    async fn negotiate(&self, cx: Context, message: Payload) -> Result<Response<Payload>, Status> {
        let mut again = cx.again();
        let (message, kept) = message.keep();
        let outcome = self.inner.call(cx, message).await;
        let (Some(codec), Some(message)) = (self.learn(outcome.as_ref().map(|_| ())), kept.again()) else {
            return outcome;
        };
        again.codec = Some(codec);
        self.inner.call(again, message).await
    }
}

impl Service for Agreed {
    async fn unary(&self, mut cx: Context, message: Payload) -> Result<Response<Payload>, Status> {
        let named = cx.codec.is_some();
        if self.choose(&mut cx) {
            return self.negotiate(cx, message).await;
        }
        let outcome = self.inner.call(cx, message).await;
        outcome.inspect_err(|status| {
            if !named {
                self.doubt(status)
            }
        })
    }

    fn unary_boxed(
        self: Arc<Self>,
        mut cx: Context,
        message: Payload,
    ) -> BoxFuture<'static, Result<Response<Payload>, Status>> {
        let named = cx.codec.is_some();
        if self.choose(&mut cx) {
            return Box::pin(async move { self.negotiate(cx, message).await });
        }
        let call = self.inner.call(cx, message);
        if named { call } else { Box::pin(call.inspect_err(move |status| self.doubt(status))) }
    }

    async fn stream(
        &self,
        mut cx: Context,
        messages: Streaming<Payload>,
    ) -> Result<Response<Streaming<Payload>>, Status> {
        let named = cx.codec.is_some();
        if !self.choose(&mut cx) {
            let outcome = self.inner.stream(cx, messages).await;
            return outcome.inspect_err(|status| {
                if !named {
                    self.doubt(status)
                }
            });
        }
        let mut again = cx.again();
        let (messages, kept) = ReplayPayload::of(messages);
        let outcome = self.inner.stream(cx, messages).await;
        let Some(codec) = self.learn(outcome.as_ref().map(|_| ())) else {
            kept.over();
            return outcome;
        };
        let Some(messages) = kept.again() else { return outcome };
        again.codec = Some(codec);
        self.inner.stream(again, messages).await
    }

    fn method(&self, path: &str) -> Option<&'static Method> {
        self.inner.method(path)
    }

    fn services(&self) -> Vec<ServiceInfo> {
        self.inner.services()
    }
}

/// The requests of a stream; a single one that is there already stays single, for transports have a shorter way for it.
enum ReplayPayload {
    One(crate::payload::ReplayPayload),
    Many(Replay),
}

impl ReplayPayload {
    fn of(messages: Streaming<Payload>) -> (Streaming<Payload>, Self) {
        match messages.into_single() {
            Ok(message) => {
                let (message, kept) = message.keep();
                (Streaming::once(message), Self::One(kept))
            }
            Err(messages) => {
                let (messages, replay) = Replay::keep(messages);
                (messages, Self::Many(replay))
            }
        }
    }

    fn again(self) -> Option<Streaming<Payload>> {
        match self {
            Self::One(kept) => kept.again().map(Streaming::once),
            Self::Many(replay) => replay.again(),
        }
    }

    fn over(self) {
        if let Self::Many(replay) = self {
            replay.over();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;
    use crate::{Code, Gateway};

    use Codec::{MessagePack, Protobuf};

    #[derive(Clone, PartialEq, prost::Message, serde::Serialize, serde::Deserialize)]
    struct Note {
        #[prost(string, tag = "1")]
        text: String,
    }

    /// What a transport with MessagePack of its own is: encodes each message as it is taken. Behind it a gateway that
    /// takes these codecs.
    struct Wire {
        gateway: Gateway,
        calls: Arc<Mutex<Vec<Codec>>>,
    }

    fn encoded(codec: Codec, message: &Payload) -> Result<Payload, Status> {
        let mut buffer = bytes::BytesMut::new();
        message.encode(codec, &mut buffer)?;
        Ok(Payload::encoded(codec, buffer.freeze()))
    }

    impl Wire {
        fn arrive(&self, cx: &mut Context) -> Codec {
            let codec = *cx.codec.get_or_insert(MessagePack);
            self.calls.lock().unwrap().push(codec);
            codec
        }
    }

    impl Service for Wire {
        async fn unary(&self, mut cx: Context, message: Payload) -> Result<Response<Payload>, Status> {
            let codec = self.arrive(&mut cx);
            self.gateway.unary(cx, encoded(codec, &message)?).await
        }

        async fn stream(
            &self,
            mut cx: Context,
            mut messages: Streaming<Payload>,
        ) -> Result<Response<Streaming<Payload>>, Status> {
            let codec = self.arrive(&mut cx);
            // Something is under way before the refusal is.
            let first = messages.message().await?.map(|message| encoded(codec, &message)).transpose()?;
            let rest = futures_util::StreamExt::map(messages, move |message| encoded(codec, &message?));
            let first = futures_util::stream::iter(first.map(Ok));
            let all = Streaming::new(futures_util::StreamExt::chain(first, rest));
            self.gateway.stream(cx, all).await
        }
    }

    struct Echo;

    impl Service for Echo {
        async fn unary(&self, _: Context, message: Payload) -> Result<Response<Payload>, Status> {
            Ok(Response::new(message))
        }

        async fn stream(
            &self,
            _: Context,
            messages: Streaming<Payload>,
        ) -> Result<Response<Streaming<Payload>>, Status> {
            Ok(Response::new(messages))
        }
    }

    fn agreed(taken: Vec<Codec>) -> (Agreed, Arc<Mutex<Vec<Codec>>>) {
        let calls = Arc::default();
        let wire = Wire { gateway: Gateway::new(Echo).codecs(taken), calls: Arc::clone(&calls) };
        (Agreed::new(Channel::new(wire), MessagePack), calls)
    }

    fn note(text: &str) -> Payload {
        Payload::new(Note { text: text.to_owned() })
    }

    fn drain(calls: &Mutex<Vec<Codec>>) -> Vec<Codec> {
        std::mem::take(&mut *calls.lock().unwrap())
    }

    #[tokio::test]
    async fn a_codec_that_is_refused_is_changed_once_and_remembered() {
        let (agreed, calls) = agreed(vec![Protobuf]);
        let answer = agreed.unary(Context::new(), note("a")).await.unwrap();
        assert_eq!(answer.message.decode::<Note>().unwrap().text, "a");
        assert_eq!(drain(&calls), [MessagePack, Protobuf]);
        agreed.unary(Context::new(), note("b")).await.unwrap();
        agreed.stream(Context::new(), Streaming::once(note("c"))).await.unwrap();
        assert_eq!(drain(&calls), [Protobuf, Protobuf]);
    }

    #[tokio::test]
    async fn a_stream_is_made_again_with_what_it_has_sent() {
        let (agreed, calls) = agreed(vec![Protobuf]);
        let (sender, notes) = Streaming::channel(4);
        for text in ["a", "b"] {
            sender.send(Ok(note(text))).await.unwrap();
        }
        let mut echoes = agreed.stream(Context::new(), notes).await.unwrap().message;
        assert_eq!(drain(&calls), [MessagePack, Protobuf]);
        sender.send(Ok(note("c"))).await.unwrap();
        drop(sender);
        for expected in ["a", "b", "c"] {
            assert_eq!(echoes.message().await.unwrap().unwrap().decode::<Note>().unwrap().text, expected);
        }
        assert!(echoes.message().await.unwrap().is_none());
    }

    #[tokio::test]
    async fn what_is_taken_or_was_asked_for_is_left_alone() {
        let (first, calls) = agreed(vec![Protobuf, MessagePack]);
        first.unary(Context::new(), note("a")).await.unwrap();
        assert_eq!(drain(&calls), [MessagePack]);
        let (second, calls) = agreed(vec![Protobuf]);
        let status = second.unary(Context::new().with_codec(MessagePack), note("a")).await.unwrap_err();
        assert_eq!((status.code(), drain(&calls)), (Code::Unimplemented, vec![MessagePack]));
        let (third, calls) = agreed(vec![]);
        let status = third.unary(Context::new(), note("a")).await.unwrap_err();
        assert_eq!((status.code(), drain(&calls)), (Code::Unimplemented, vec![MessagePack]));
    }
}
