use std::{future::Future, sync::Arc, time::Duration};

use bytes::{BufMut, Bytes, BytesMut};
use tokio::{sync::oneshot, task::JoinHandle};

use super::carrier::{self, End, EndRecv, EndSend, pair};
use crate::{
    Caller, Channel, Codec, Context, Drain, Limits, Metadata, Payload, Response, Service, Status, Streaming,
    context::Path,
    transport::{
        Inbound, Outbound, Remote,
        framed::{Connection, Outgoing, RecvStream, StreamError, serve_connection},
    },
    wire::{self, FrameKind, FrameReader, RequestCompression, ResponseHead, Tail},
};

/// A caller, connected to a service that is being served.
#[derive(Clone)]
pub(super) struct Peers(Arc<Inner>);

struct Inner {
    connection: End,
    outbound: Outbound,
    drain: Drain,
}

/// The answer of a function that is a service.
pub(super) type Answer = Result<Response<Streaming<Payload>>, Status>;

/// Connects a caller to a function.
pub(super) fn connect<A>(answer: impl Fn(Context, Streaming<Payload>) -> A + Send + Sync + 'static) -> Peers
where
    A: Future<Output = Answer> + Send + 'static,
{
    serve(Answering(answer), Limits::default()).0
}

/// How long a drained connection refuses before it ends.
const LINGER: Duration = Duration::from_millis(20);

/// Connects a caller to a service; the task ends when the service serves no more.
pub(super) fn serve(service: impl Service, limits: Limits) -> (Peers, JoinHandle<()>) {
    serve_inbound(Inbound::new(Channel::new(service)).limits(limits))
}

/// The same, through this edge.
pub(super) fn serve_inbound(inbound: Inbound) -> (Peers, JoinHandle<()>) {
    let (connection, far) = pair();
    let drain = Drain::new();
    let limits = inbound.limits.clone();
    let caller = Arc::new(Caller::new("memory"));
    let following = drain.clone();
    let serving =
        tokio::spawn(async move { serve_connection(&far, caller, inbound, following, || LINGER).await });
    let outbound = Outbound { codec: Codec::MessagePack, limits };
    (Peers(Arc::new(Inner { connection, outbound, drain })), serving)
}

/// A caller, connected to somebody who answers by hand.
pub(super) fn connect_raw(limits: Limits) -> (Peers, End) {
    let (connection, far) = pair();
    let outbound = Outbound { codec: Codec::MessagePack, limits };
    (Peers(Arc::new(Inner { connection, outbound, drain: Drain::new() })), far)
}

impl Peers {
    /// A unary call of `text`.
    pub(super) async fn ask(&self, text: &str) -> Result<String, Status> {
        self.unary(context(), note(text)).await.map(|response| read(&response.message))
    }

    /// Opens a stream with these bytes.
    pub(super) async fn open(&self, bytes: impl Into<Bytes>, finish: bool) -> (EndSend, EndRecv) {
        self.0.connection.open(bytes.into(), finish).await.expect("the connection is there")
    }

    /// The answer to a stream of just these bytes.
    pub(super) async fn answer_to(&self, bytes: impl Into<Bytes>) -> Answered {
        let (_send, recv) = self.open(bytes, true).await;
        within(Answered::read(recv)).await.expect("the answer has an end")
    }

    pub(super) fn drain(&self) -> &Drain {
        &self.0.drain
    }

    pub(super) fn lose_connection(&self, status: &Status) {
        carrier::lose(&self.0.connection, status);
    }
}

impl Service for Peers {
    async fn unary(&self, cx: Context, message: Payload) -> Result<Response<Payload>, Status> {
        let Inner { connection, outbound, .. } = &*self.0;
        let outgoing = Outgoing::unary(outbound, &cx, &message)?;
        let streams = outgoing.open(connection).await?;
        Ok(outgoing.answers(streams, None, &outbound.limits, &Remote::default()).single().await?)
    }

    async fn stream(&self, cx: Context, messages: Streaming<Payload>) -> Answer {
        let Inner { connection, outbound, .. } = &*self.0;
        let (outgoing, rest) = Outgoing::streaming(outbound, &cx, messages)?;
        let streams = outgoing.open(connection).await?;
        Ok(outgoing.answers(streams, rest, &outbound.limits, &Remote::default()).streaming().await?)
    }
}

/// A function as a service.
pub(super) struct Answering<F>(pub(super) F);

impl<F, A> Service for Answering<F>
where
    F: Fn(Context, Streaming<Payload>) -> A + Send + Sync + 'static,
    A: Future<Output = Answer> + Send + 'static,
{
    async fn unary(&self, cx: Context, message: Payload) -> Result<Response<Payload>, Status> {
        let mut response = (self.0)(cx, Streaming::once(message)).await?;
        let message = crate::messages::single(&mut response.message).await?;
        response.trailers.extend(response.message.take_trailers());
        Ok(response.map(|_| message))
    }

    async fn stream(&self, cx: Context, messages: Streaming<Payload>) -> Answer {
        (self.0)(cx, messages).await
    }
}

/// Answers with what it was sent, one by one.
pub(super) async fn echo(_: Context, messages: Streaming<Payload>) -> Answer {
    Ok(Response::new(messages))
}

/// What a server sent, from its bytes.
#[derive(Debug)]
pub(super) struct Answered {
    pub(super) head: Option<ResponseHead>,
    pub(super) messages: Vec<Bytes>,
    /// How many of them are compressed.
    pub(super) compressed: usize,
    pub(super) tail: Tail,
    /// How many writes it took.
    pub(super) chunks: usize,
}

impl Answered {
    pub(super) async fn read(mut recv: EndRecv) -> Result<Self, StreamError> {
        let mut reader = FrameReader::new(1 << 20, 1 << 20);
        let mut answered =
            Self { head: None, messages: Vec::new(), compressed: 0, tail: Tail::default(), chunks: 0 };
        let mut ends = 0;
        while let Some(chunk) = recv.read().await? {
            answered.chunks += 1;
            reader.push(chunk);
            while let Some(frame) = reader.next_frame().expect("the answer is well-formed") {
                assert_eq!(ends, 0, "nothing follows the end");
                match frame.kind {
                    FrameKind::Head => {
                        answered.head = Some(ResponseHead::parse(frame.payload).expect("a well-formed head"));
                    }
                    FrameKind::Message => answered.messages.push(frame.payload),
                    FrameKind::Compressed => {
                        answered.compressed += 1;
                        answered.messages.push(frame.payload);
                    }
                    FrameKind::End => {
                        ends += 1;
                        answered.tail = Tail::parse(frame.payload).expect("the end is well-formed");
                    }
                }
            }
        }
        assert_eq!(ends, 1, "an answer ends with its end");
        Ok(answered)
    }

    pub(super) fn code(&self) -> crate::Code {
        crate::Code::from_number(self.tail.code.into())
    }
}

/// The context of a call.
pub(super) fn context() -> Context {
    Context { path: Path::Static("/demo.v1.Demo/Get"), ..Context::new() }
}

/// The first bytes of a call.
pub(super) fn head(unary: bool, timeout: Option<Duration>) -> BytesMut {
    compressing_head(unary, timeout, RequestCompression::default())
}

/// The first bytes of a call that says this of compression.
pub(super) fn compressing_head(
    unary: bool,
    timeout: Option<Duration>,
    compression: RequestCompression,
) -> BytesMut {
    let mut buffer = BytesMut::new();
    let (path, metadata) = ("/demo.v1.Demo/Get", Metadata::new());
    wire::put_request_head(&mut buffer, path, Codec::MessagePack, unary, timeout, compression, &metadata);
    buffer
}

/// Appends one message.
pub(super) fn put(buffer: &mut BytesMut, text: &str) {
    let encoded = wire::put_message(buffer, usize::MAX, |buffer| {
        buffer.put_slice(text.as_bytes());
        Ok(())
    });
    encoded.expect("a message without limit");
}

/// A whole unary call of `text`.
pub(super) fn call(text: &str) -> BytesMut {
    let mut buffer = head(true, None);
    put(&mut buffer, text);
    wire::put_end(&mut buffer);
    buffer
}

/// A message: the framing does not look into it.
pub(super) fn note(text: &str) -> Payload {
    Payload::encoded(Codec::MessagePack, Bytes::copy_from_slice(text.as_bytes()))
}

pub(super) fn read(note: &Payload) -> String {
    let bytes = note.as_encoded(Codec::MessagePack).expect("the message is encoded");
    String::from_utf8(bytes.to_vec()).expect("a note is text")
}

/// The next message of a stream, as text.
pub(super) async fn next(messages: &mut Streaming<Payload>) -> Result<Option<String>, Status> {
    Ok(messages.message().await?.as_ref().map(read))
}

/// The outcome, which must come: under a paused clock nothing can wait for ever unnoticed.
pub(super) async fn within<T>(future: impl Future<Output = T>) -> T {
    let day = Duration::from_secs(86_400);
    tokio::time::timeout(day, future).await.expect("it never happened")
}

/// Something that a handler holds, and what tells when it let go.
pub(super) fn held() -> (oneshot::Sender<()>, impl Future<Output = ()>) {
    let (guard, gone) = oneshot::channel();
    (guard, async {
        within(gone).await.expect_err("nothing is sent");
    })
}
