use std::{any::TypeId, sync::Arc};

use super::{Payload, Repr, Typed};

use crate::sync::Mutex;

/// A message that may be replayed, over the same transport or another. It is not copied but lent to the sender, and stays
/// available until it is moved out, as by a handler in this process.
pub(crate) struct ReplayPayload {
    repr: KeptRepr,
    uncompressed: bool,
}

enum KeptRepr {
    Lent(Arc<Slot>),
    Encoded(crate::Codec, bytes::Bytes),
}

/// Where a lent message lies.
pub(super) struct Slot(Mutex<Option<Box<dyn Typed>>>);

impl Slot {
    /// Applies the function to the message; `None` if it was moved out.
    pub(super) fn with<T>(&self, tell: impl FnOnce(&dyn Typed) -> T) -> Option<T> {
        self.0.lock().as_deref().map(tell)
    }

    /// Takes the message out, where it is of this type.
    pub(super) fn take(&self, type_id: TypeId) -> Option<Box<dyn Typed>> {
        let mut message = self.0.lock();
        message.take_if(|message| message.is(type_id))
    }

    fn is_there(&self) -> bool {
        self.0.lock().is_some()
    }
}

impl Payload {
    /// The same message to be sent, and what gives it again. Costs one allocation, and none where it is encoded already.
    pub(crate) fn keep(self) -> (Self, ReplayPayload) {
        let Self { repr, observer, uncompressed } = self;
        let (repr, kept) = match repr {
            Repr::Typed(message) => {
                let slot = Arc::new(Slot(Mutex::new(Some(message))));
                (Repr::Lent(slot.clone()), KeptRepr::Lent(slot))
            }
            Repr::Lent(slot) => (Repr::Lent(slot.clone()), KeptRepr::Lent(slot)),
            Repr::Encoded(codec, bytes) => {
                (Repr::Encoded(codec, bytes.clone()), KeptRepr::Encoded(codec, bytes))
            }
        };
        (Self { repr, observer, uncompressed }, ReplayPayload { repr: kept, uncompressed })
    }
}

impl ReplayPayload {
    /// Whether it can be had once more.
    pub(crate) fn is_there(&self) -> bool {
        match &self.repr {
            KeptRepr::Lent(slot) => slot.is_there(),
            KeptRepr::Encoded(..) => true,
        }
    }

    /// The message for a replay; `None` if it was moved out and therefore processed.
    pub(crate) fn again(&self) -> Option<Payload> {
        let repr = match &self.repr {
            KeptRepr::Lent(slot) => slot.is_there().then(|| Repr::Lent(slot.clone()))?,
            KeptRepr::Encoded(codec, bytes) => Repr::Encoded(*codec, bytes.clone()),
        };
        Some(Payload { repr, observer: None, uncompressed: self.uncompressed })
    }
}

#[cfg(test)]
mod tests {
    use bytes::BytesMut;

    use crate::{Codec, Payload};

    #[derive(Clone, PartialEq, prost::Message, serde::Serialize, serde::Deserialize)]
    struct Note {
        #[prost(string, tag = "1")]
        text: String,
    }

    fn note() -> Note {
        Note { text: "once".to_owned() }
    }

    #[test]
    fn a_message_is_encoded_as_often_as_it_is_sent_in_whatever_codec() {
        let (first, kept) = Payload::new(note()).keep();
        for (payload, codec) in [(first, Codec::Protobuf), (kept.again().unwrap(), Codec::MessagePack)] {
            let mut buffer = BytesMut::new();
            payload.encode(codec, &mut buffer).unwrap();
            assert_eq!(codec.decode::<Note>(buffer.freeze()).unwrap(), note());
        }
    }

    #[test]
    fn one_that_a_handler_has_taken_is_gone() {
        let (first, kept) = Payload::new(note()).keep();
        assert_eq!(first.decode::<Note>().unwrap(), note());
        assert!(kept.again().is_none());
    }

    #[test]
    fn one_that_was_dropped_unread_is_there() {
        let (first, kept) = Payload::encoded(Codec::Protobuf, "x".into()).keep();
        drop(first);
        assert_eq!(kept.again().unwrap().encoded_len(), Some(1));
        let (first, kept) = Payload::new(note()).keep();
        drop(first);
        assert_eq!(kept.again().unwrap().decode::<Note>().unwrap(), note());
    }
}
