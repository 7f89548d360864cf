use crate::{Message, Payload, Status, Streaming, messages};

/// The messages of one direction of a call: exactly one, or a stream of them.
#[derive(Debug)]
pub enum Body {
    /// Exactly one message.
    One(Payload),
    /// Any number of messages.
    Many(Streaming<Payload>),
}

impl Body {
    /// One message.
    pub fn one<M: Message>(message: M) -> Self {
        Self::One(Payload::new(message))
    }

    /// A stream of messages.
    pub fn many<M: Message>(messages: Streaming<M>) -> Self {
        Self::Many(messages.into_payloads())
    }

    /// The single message of this direction.
    ///
    /// # Errors
    /// `Unimplemented` when there is none or more than one, as gRPC's cardinality rules ask
    /// ([status codes](https://github.com/grpc/grpc/blob/master/doc/statuscodes.md)); the status that
    /// ended the stream when it broke.
    ///
    /// # Cancel safety
    /// Not safe: messages that were read are lost, with the body.
    pub async fn single(self) -> Result<Payload, Status> {
        match self {
            Self::One(message) => Ok(message),
            // Boxed, so that the rare case does not make the usual one's future larger.
            Self::Many(mut messages) => Box::pin(async move { messages::single(&mut messages).await }).await,
        }
    }

    /// The messages as a stream.
    pub fn stream(self) -> Streaming<Payload> {
        match self {
            Self::One(message) => Streaming::once(message),
            Self::Many(messages) => messages,
        }
    }
}
