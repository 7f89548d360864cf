use bytes::BytesMut;

use crate::{Codec, Compression, CompressionSet, Payload, Status};

/// How the messages of one direction are written.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Encoding {
    /// What makes bytes of them.
    pub(crate) codec: Codec,
    /// What makes the bytes fewer, for those that do not travel plain.
    pub(crate) compression: Option<Compression>,
    /// How large one may be before it is compressed, in bytes.
    pub(crate) limit: usize,
}

impl Encoding {
    /// Appends the message, not compressed yet.
    pub(crate) fn encode(&self, message: &Payload, buffer: &mut BytesMut) -> Result<(), Status> {
        message.encode(self.codec, buffer)
    }

    /// What this message is to be compressed with.
    pub(crate) fn compression_of(&self, message: &Payload) -> Option<Compression> {
        self.compression.filter(|_| !message.is_uncompressed())
    }
}

/// What decides how the answers to a call are written.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Answering {
    /// The codec of the call.
    pub(crate) codec: Codec,
    /// The compressions that the caller accepts.
    pub(crate) accepted: CompressionSet,
    /// How large an answer may be, in bytes.
    pub(crate) limit: usize,
}

impl Answering {
    /// How they are written, where they are to be compressed like this.
    pub(crate) fn encoding(&self, wanted: Option<Compression>) -> Encoding {
        Encoding { codec: self.codec, compression: self.accepted.agree(wanted), limit: self.limit }
    }
}
