use std::sync::Arc;

use bytes::BytesMut;

use crate::{Codec, Compression, CompressionSet, Payload, Status, observer::CallObserver};

/// How the messages of one direction are written.
#[derive(Clone, Debug)]
pub(crate) struct Encoding {
    /// What makes bytes of them.
    pub(crate) codec: Codec,
    /// What makes the bytes fewer, for those that do not travel plain.
    pub(crate) compression: Option<Compression>,
    /// How large one may be before it is compressed, in bytes.
    pub(crate) limit: usize,
    /// Counts them as sent.
    pub(crate) counter: Option<Arc<dyn CallObserver>>,
}

impl Encoding {
    /// Appends the message, not compressed yet.
    pub(crate) fn encode(&self, message: &Payload, buffer: &mut BytesMut) -> Result<(), Status> {
        let before = buffer.len();
        message.encode(self.codec, buffer)?;
        if let Some(counter) = &self.counter {
            counter.sent(1);
            counter.encoded(buffer.len() - before);
        }
        Ok(())
    }

    /// What this message is to be compressed with.
    pub(crate) fn compression_of(&self, message: &Payload) -> Option<Compression> {
        self.compression.filter(|_| !message.is_uncompressed())
    }
}

/// What decides how the answers to a call are written.
#[derive(Clone, Debug)]
pub(crate) struct ResponseEncoding {
    /// The codec of the call.
    pub(crate) codec: Codec,
    /// The compressions that the caller accepts.
    pub(crate) accepted: CompressionSet,
    /// How large an answer may be, in bytes.
    pub(crate) limit: usize,
    /// Counts the answers as sent.
    pub(crate) counter: Option<Arc<dyn CallObserver>>,
}

impl ResponseEncoding {
    /// How they are written, where they are to be compressed like this.
    pub(crate) fn encoding(&self, wanted: Option<Compression>) -> Encoding {
        let (codec, counter) = (self.codec, self.counter.clone());
        Encoding { codec, compression: self.accepted.agree(wanted), limit: self.limit, counter }
    }
}
