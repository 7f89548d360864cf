//! How a codec is refused, so that a program can choose another.

use super::Codec;
use crate::Code;
use crate::Status;

/// The trailing metadata of a refusal: the names of the codecs that are taken, with commas between them.
const KEY: &str = "accept-codec";

impl Status {
    /// The refusal of a call's codec, before any handler has seen the call: these are taken.
    pub(crate) fn codec_refused(message: String, taken: &[Codec]) -> Self {
        let names: Vec<_> = taken.iter().map(|codec| codec.name()).collect();
        let mut status = Self::unimplemented(message).not_processed();
        // Names of ours are metadata's values.
        let _ = status.metadata_mut().insert(KEY, names.join(","));
        status
    }

    /// The codecs that are taken instead of that of the call, where this is the refusal of one. Names that are not known
    /// here are left out.
    pub(crate) fn codecs_taken(&self) -> Option<Vec<Codec>> {
        if self.code() != Code::Unimplemented || !self.is_not_processed() {
            return None;
        }
        let names = self.metadata().get(KEY)?;
        Some(names.split(',').filter_map(|name| name.trim().parse().ok()).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_says_what_is_taken_as_long_as_no_handler_has_seen_the_call() {
        let refusal = Status::codec_refused("not in msgpack".to_owned(), &[Codec::Protobuf]);
        assert_eq!(refusal.codecs_taken(), Some(vec![Codec::Protobuf]));
        assert_eq!(refusal.processed().codecs_taken(), None);
        assert_eq!(Status::unimplemented("no such method").not_processed().codecs_taken(), None);
    }

    #[test]
    fn codecs_of_the_future_are_passed_over() {
        let mut refusal = Status::codec_refused(String::new(), &[]);
        refusal.metadata_mut().insert(KEY, "cbor, msgpack").unwrap();
        assert_eq!(refusal.codecs_taken(), Some(vec![Codec::MessagePack]));
    }
}
