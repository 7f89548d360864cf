//! The messages of one direction of a call, as a transport reads them.

use std::{future::Future, sync::Arc};

use crate::{Metadata, Payload, Status, Streaming, observer::CallObserver, streaming::Event};

/// The messages that arrive in one direction of a call.
pub(crate) trait Messages: Send {
    /// The next message; `None` at the end of the direction.
    ///
    /// # Errors
    /// Why the direction broke off.
    fn next(&mut self) -> impl Future<Output = Result<Option<Payload>, Status>> + Send;

    /// The trailing metadata of a response; asked for once, after the end.
    fn take_trailers(&mut self) -> Metadata {
        Metadata::new()
    }
}

impl Messages for Streaming<Payload> {
    async fn next(&mut self) -> Result<Option<Payload>, Status> {
        self.message().await
    }

    fn take_trailers(&mut self) -> Metadata {
        Self::take_trailers(self)
    }
}

/// The only message of a direction, which has been read to its end when this returns.
///
/// # Errors
/// `Unimplemented` if there is none or more than one, as gRPC's cardinality rules ask
/// ([status codes](https://github.com/grpc/grpc/blob/master/doc/statuscodes.md)); the status of a direction that broke off.
///
/// # Cancel safety
/// Not safe: messages that were read are lost.
pub(crate) async fn single(messages: &mut impl Messages) -> Result<Payload, Status> {
    let Some(message) = messages.next().await? else {
        return Err(Status::unimplemented("exactly one message was expected and none came"));
    };
    match messages.next().await? {
        None => Ok(message),
        Some(_) => Err(Status::unimplemented("exactly one message was expected and more came")),
    }
}

/// The messages as a stream, each counted as received.
pub(crate) fn streaming<M: Messages + 'static>(
    messages: M,
    counter: Option<Arc<dyn CallObserver>>,
) -> Streaming<Payload> {
    let state = Some((messages, counter));
    Streaming::from_events(futures_util::stream::unfold(state, |state| async move {
        let (mut messages, counter) = state?;
        match messages.next().await {
            Ok(Some(message)) => {
                received(counter.as_deref(), &message);
                Some((Ok(Event::Message(message)), Some((messages, counter))))
            }
            Ok(None) => Some((Ok(Event::Trailers(messages.take_trailers())), None)),
            Err(status) => Some((Err(status), None)),
        }
    }))
}

/// Counts a message that has arrived.
pub(crate) fn received(counter: Option<&dyn CallObserver>, message: &Payload) {
    if let Some(counter) = counter {
        counter.received(1, message.encoded_len().unwrap_or(0) as u64);
    }
}
