mod replay;

use std::{
    any::{Any, TypeId},
    fmt,
    sync::Arc,
};

use bytes::{Bytes, BytesMut};

pub(crate) use self::replay::ReplayPayload;

use self::replay::Slot;
use crate::{Codec, Message, Status, codec::CodecError};

/// One message at the waist. It stays typed until a transport writes it, so that each transport picks
/// its codec, a fallback re-encodes for free, a call within the process encodes nothing, and a gateway
/// passes encoded bytes through untouched.
pub struct Payload {
    repr: Repr,
    observer: Option<Arc<dyn EncodeObserver>>,
    uncompressed: bool,
}

enum Repr {
    Typed(Box<dyn Typed>),
    /// One that may be sent again.
    Lent(Arc<Slot>),
    Encoded(Codec, Bytes),
}

/// Learns how large a message is once a transport has encoded it.
pub trait EncodeObserver: Send + Sync {
    /// The message took this many bytes, without framing.
    fn encoded(&self, bytes: usize);
}

/// A message whose type is forgotten, but not how to write it.
pub trait Typed: Send {
    /// Appends the message in this codec.
    fn encode(&self, codec: Codec, buffer: &mut BytesMut) -> Result<(), CodecError>;
    /// How many bytes it has in protobuf.
    fn protobuf_len(&self) -> usize;
    /// The message itself.
    fn into_any(self: Box<Self>) -> Box<dyn Any>;
    /// Whether it is of this type.
    fn is(&self, type_id: TypeId) -> bool;
}

impl<M: Message> Typed for M {
    fn encode(&self, codec: Codec, buffer: &mut BytesMut) -> Result<(), CodecError> {
        codec.encode(self, buffer)
    }

    fn protobuf_len(&self) -> usize {
        self.encoded_len()
    }

    fn into_any(self: Box<Self>) -> Box<dyn Any> {
        self
    }

    fn is(&self, type_id: TypeId) -> bool {
        type_id == TypeId::of::<M>()
    }
}

impl Payload {
    /// A message that is still typed.
    pub fn new<M: Message>(message: M) -> Self {
        Self { repr: Repr::Typed(Box::new(message)), observer: None, uncompressed: false }
    }

    /// A message that writes itself.
    pub fn typed(message: impl Typed + 'static) -> Self {
        Self { repr: Repr::Typed(Box::new(message)), observer: None, uncompressed: false }
    }

    /// A message that is already encoded.
    pub fn encoded(codec: Codec, bytes: Bytes) -> Self {
        Self { repr: Repr::Encoded(codec, bytes), observer: None, uncompressed: false }
    }

    /// The bytes, where the message is encoded in this codec already.
    pub fn as_encoded(&self, codec: Codec) -> Option<&Bytes> {
        match &self.repr {
            Repr::Encoded(own, bytes) if *own == codec => Some(bytes),
            _ => None,
        }
    }

    /// The codec that the message is encoded in, where it is.
    pub fn codec(&self) -> Option<Codec> {
        match &self.repr {
            Repr::Encoded(codec, _) => Some(*codec),
            Repr::Typed(_) | Repr::Lent(_) => None,
        }
    }

    /// The same message; `uncompressed` says whether it travels without compression where its direction has one.
    /// One that came so says so too: a gateway that passes it on sends it the same way.
    #[must_use]
    pub fn with_uncompressed(mut self, uncompressed: bool) -> Self {
        self.uncompressed = uncompressed;
        self
    }

    /// Whether the message travels without compression where its direction has one. Says nothing where it
    /// has none.
    pub fn is_uncompressed(&self) -> bool {
        self.uncompressed
    }

    /// Appends the message in this codec.
    ///
    /// # Errors
    /// `Internal` when the message does not encode, or when it is encoded already in another codec:
    /// without its type nothing can translate it.
    pub fn encode(&self, codec: Codec, buffer: &mut BytesMut) -> Result<(), Status> {
        let before = buffer.len();
        self.append(codec, buffer)?;
        if let Some(observer) = &self.observer {
            observer.encoded(buffer.len() - before);
        }
        Ok(())
    }

    /// How many bytes the message has, where it is encoded already.
    pub fn encoded_len(&self) -> Option<usize> {
        match &self.repr {
            Repr::Typed(_) | Repr::Lent(_) => None,
            Repr::Encoded(_, bytes) => Some(bytes.len()),
        }
    }

    /// How many bytes the message has, or would have in protobuf where it is not encoded.
    pub(crate) fn size(&self) -> usize {
        match &self.repr {
            Repr::Typed(message) => message.protobuf_len(),
            Repr::Lent(slot) => slot.with(|message| message.protobuf_len()).unwrap_or(0),
            Repr::Encoded(_, bytes) => bytes.len(),
        }
    }

    /// The same message, whose size is told to `observer` when it is encoded.
    pub(crate) fn observed(mut self, observer: Arc<dyn EncodeObserver>) -> Self {
        self.observer = Some(observer);
        self
    }

    fn append(&self, codec: Codec, buffer: &mut BytesMut) -> Result<(), Status> {
        match &self.repr {
            Repr::Typed(message) => {
                message.encode(codec, buffer).map_err(|error| Status::internal(error.to_string()))
            }
            Repr::Lent(slot) => slot.with(|message| message.encode(codec, buffer)).map_or_else(
                || Err(taken()),
                |encoded| encoded.map_err(|error| Status::internal(error.to_string())),
            ),
            Repr::Encoded(own, bytes) if *own == codec => {
                buffer.extend_from_slice(bytes);
                Ok(())
            }
            Repr::Encoded(own, _) => {
                Err(Status::internal(format!("a message already encoded as {own} cannot be sent as {codec}")))
            }
        }
    }

    /// The message as a type. A message of just this type is moved out; one of another type (a
    /// neighbouring version of it, say) takes the way over its encoding.
    ///
    /// # Errors
    /// `Internal` when the bytes are not such a message.
    pub fn decode<M: Message>(self) -> Result<M, Status> {
        self.read(Status::internal)
    }

    /// The message as the request that a handler is given. Bytes that are no such message are the caller's mistake,
    /// and `InvalidArgument`.
    pub(crate) fn into_request<M: Message>(self) -> Result<M, Status> {
        self.read(Status::invalid_argument)
    }

    fn read<M: Message>(self, undecodable: fn(String) -> Status) -> Result<M, Status> {
        let same_type = match self.repr {
            Repr::Typed(message) if message.is(TypeId::of::<M>()) => Ok(message),
            Repr::Lent(slot) => slot.take(TypeId::of::<M>()).ok_or(Repr::Lent(slot)),
            other => Err(other),
        };
        let (codec, bytes) = match same_type {
            Ok(message) => {
                return match message.into_any().downcast() {
                    Ok(message) => Ok(*message),
                    Err(_) => Err(Status::internal("a message lied about its type")),
                };
            }
            Err(Repr::Encoded(codec, bytes)) => (codec, bytes),
            Err(repr) => {
                let mut buffer = BytesMut::new();
                Self { repr, observer: None, uncompressed: false }.append(Codec::Protobuf, &mut buffer)?;
                (Codec::Protobuf, buffer.freeze())
            }
        };
        codec.decode(bytes).map_err(|error| undecodable(error.to_string()))
    }
}

/// The message was lent to two, and one of them has taken it.
fn taken() -> Status {
    Status::cancelled("another attempt at this call has been taken already")
}

impl<M: Message> From<M> for Payload {
    fn from(message: M) -> Self {
        Self::new(message)
    }
}

impl fmt::Debug for Payload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.repr {
            Repr::Typed(_) | Repr::Lent(_) => f.write_str("Payload(typed)"),
            Repr::Encoded(codec, bytes) => write!(f, "Payload({codec}, {} bytes)", bytes.len()),
        }
    }
}
