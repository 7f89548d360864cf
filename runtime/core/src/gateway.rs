use std::{borrow::Cow, fmt, future::poll_fn, task::Poll, time::Duration};

use futures_util::{StreamExt as _, stream};

use crate::{
    Channel, Code, Codec, Context, Limits, Method, Payload, Response, Service, ServiceInfo, Status,
    Streaming, access::on_behalf, balance::probe::probe, via,
};

/// Passes calls on as they came: a [`Service`] that serves one transport by calling another.
///
/// It needs to know no service. Everything that belongs to the call travels: there the path, the metadata, the
/// time that is left, the codec, and with it the messages byte for byte and the end of the requests, or that the
/// caller gave up; back leading metadata, messages, trailers, and statuses with their details, *not processed*
/// included. Nothing is queued: a stream goes as fast as the slower side takes it. What belongs to a connection
/// stays with it: the names that metadata reserves, the limits, and who calls. The target sees the gateway as its
/// caller. The gateway names its own caller in the metadata; a target to which it is local decides by both. A trace goes
/// on; where it is recorded, by way of the gateway's own spans.
///
/// Each gateway adds an entry to the metadata `via`, `polywire NAME`. A call that eight have passed on is refused as
/// `FailedPrecondition` and not processed, with the names that it came by: gateways that call one another pass a call
/// round and round.
///
/// A handler that makes its own calls is the opposite case: it passes on only the deadline and the trace of its context.
///
/// ```
/// # #[derive(Clone, PartialEq, prost::Message, serde::Serialize, serde::Deserialize)] pub struct Empty {}
/// # #[polywire::service(package = "demo.v1")]
/// # pub trait Demo { async fn get(&self, request: Empty) -> Result<Empty, polywire::Status>; }
/// # struct Imp;
/// # impl Demo for Imp { async fn get(&self, r: Empty) -> Result<Empty, polywire::Status> { Ok(r) } }
/// use polywire::{Gateway, Router};
///
/// # let connection = DemoServer::new(Imp);
/// // Services that this process does not have are forwarded to a connection.
/// let router = Router::new();
/// router.set_fallback(Gateway::new(connection).over("iroh"));
/// ```
#[derive(Clone)]
pub struct Gateway {
    target: Channel,
    codecs: Vec<Codec>,
    transport: Option<&'static str>,
    name: Cow<'static, str>,
}

impl Gateway {
    /// Passes calls on to this, in any codec.
    pub fn new(target: impl Service) -> Self {
        let codecs = vec![Codec::Protobuf, Codec::MessagePack];
        Self { target: Channel::new(target), codecs, transport: None, name: Cow::Borrowed("gateway") }
    }

    /// Refuses calls in other codecs than these, as `Unimplemented` and not processed, and tells which are taken. A gateway has no types
    /// and can translate nothing, and a server that takes only protobuf, as most of gRPC do, might read
    /// MessagePack as something else than was said.
    #[must_use]
    pub fn codecs(mut self, codecs: impl IntoIterator<Item = Codec>) -> Self {
        self.codecs = codecs.into_iter().collect();
        self
    }

    /// How the gateway calls itself in the metadata `via`: printable ASCII without spaces and commas. `gateway`, where
    /// nothing else is said.
    #[must_use]
    pub fn named(mut self, name: String) -> Self {
        self.name = Cow::Owned(name);
        self
    }

    /// Names the transport that leads to the target, for the status of calls that do not get there.
    #[must_use]
    pub fn over(mut self, transport: &'static str) -> Self {
        self.transport = Some(transport);
        self
    }

    /// Whether the target answers, as it is found out by a call of the standard health check: any answer will
    /// do, also that there is no such service. For `Health::register`.
    ///
    /// # Errors
    /// Why the target cannot be reached, for people; a target that says nothing for 4 s is one.
    ///
    /// # Cancel safety
    /// Dropping the future gives the call up.
    pub async fn check(&self) -> Result<(), String> {
        let asked = probe(&self.target, CHECK_PATIENCE).await;
        asked.map_err(|status| self.unreached(status).message().to_owned())
    }

    /// Makes the context of a call that came in that of the call that goes out.
    fn admit(&self, cx: &mut Context) -> Result<(), Status> {
        if let Some(codec) = cx.codec.filter(|codec| !self.codecs.contains(codec)) {
            let taken: Vec<_> = self.codecs.iter().map(|codec| codec.name()).collect();
            let refusal = format!(
                "the target of this gateway takes calls in {} and not in {codec}",
                taken.join(" and ")
            );
            return Err(Status::codec_refused(refusal, &self.codecs));
        }
        via::pass(&mut cx.metadata, &self.name)?;
        let caller = cx.caller.clone();
        on_behalf::tell(&mut cx.metadata, caller.as_deref())?;
        // The listener's limits apply on both sides; a call without limits gets the defaults.
        cx.message_limit.get_or_insert(Limits::default().max_message_bytes);
        Ok(())
    }

    /// Adds the target to the status of a call that did not reach it. No handler has produced that status, so its text may
    /// change.
    fn unreached(&self, status: Status) -> Status {
        if status.code() != Code::Unavailable || !status.is_not_processed() {
            return status;
        }
        let way = self.transport.map(|transport| format!(" over {transport}")).unwrap_or_default();
        let message = format!("the gateway's target cannot be reached{way}: {}", status.message());
        status.with_message(message)
    }
}

/// How long a check waits for the target's answer; less than a node waits for a check.
const CHECK_PATIENCE: Duration = Duration::from_secs(4);

impl Service for Gateway {
    async fn unary(&self, mut cx: Context, message: Payload) -> Result<Response<Payload>, Status> {
        self.admit(&mut cx)?;
        self.target.unary(cx, message).await.map_err(|status| self.unreached(status))
    }

    async fn stream(
        &self,
        mut cx: Context,
        messages: Streaming<Payload>,
    ) -> Result<Response<Streaming<Payload>>, Status> {
        self.admit(&mut cx)?;
        let messages = gather(messages).await?;
        self.target.stream(cx, messages).await.map_err(|status| self.unreached(status))
    }

    fn method(&self, path: &str) -> Option<&'static Method> {
        self.target.method(path)
    }

    fn services(&self) -> Vec<ServiceInfo> {
        self.target.services()
    }
}

impl fmt::Debug for Gateway {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("Gateway");
        debug.field("codecs", &self.codecs).field("transport", &self.transport).finish_non_exhaustive()
    }
}

/// The same messages. A message that is already followed by the end, as for most methods of unknown shape, becomes a single
/// message, which travels in the call's first write. Does not wait.
///
/// # Errors
/// Where the messages have failed already, so that there is nothing to trouble the target with.
async fn gather(messages: Streaming<Payload>) -> Result<Streaming<Payload>, Status> {
    let mut messages = match messages.into_single() {
        Ok(message) => return Ok(Streaming::once(message)),
        Err(messages) => messages,
    };
    let first = match ready(&mut messages).await {
        None => return Ok(messages),
        Some(None) => return Ok(Streaming::empty()),
        Some(Some(first)) => first?,
    };
    Ok(match ready(&mut messages).await {
        Some(None) => Streaming::once(first),
        Some(Some(second)) => Streaming::new(stream::iter([Ok(first), second]).chain(messages)),
        None => Streaming::new(stream::iter([Ok(first)]).chain(messages)),
    })
}

/// What the stream gives without waiting; `None` where it has to be waited for.
async fn ready(messages: &mut Streaming<Payload>) -> Option<Option<Result<Payload, Status>>> {
    poll_fn(|task| {
        Poll::Ready(match messages.poll_message(task) {
            Poll::Ready(next) => Some(next),
            Poll::Pending => None,
        })
    })
    .await
}

#[cfg(test)]
mod tests;
