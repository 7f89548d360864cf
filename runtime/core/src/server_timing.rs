//! How long a handler took, told to a caller who asks: so that the time of the way can be told from that of the work.
//!
//! The answer is a trailer in the form of [Server Timing](https://www.w3.org/TR/server-timing/), the question an entry of
//! metadata in the manner of the fields of [RFC 9530](https://www.rfc-editor.org/rfc/rfc9530#section-4) that state what is
//! wanted. A server that does not know it tells nothing.

use std::time::Duration;

use bytes::Bytes;

use crate::Metadata;

/// Asks for the time; the value is `1`.
const WANT: &str = "want-server-timing";

/// Tells it, in milliseconds: `handler;dur=0.125`.
const TIMING: &str = "server-timing";

const HANDLER: &str = "handler;dur=";

/// Asks for it.
pub(crate) fn ask(metadata: &mut Metadata) {
    // Both are well-formed.
    let _ = metadata.append_raw(Bytes::from_static(WANT.as_bytes()), Bytes::from_static(b"1"), Some(false));
}

/// Whether it is asked for.
pub(crate) fn is_asked(metadata: &Metadata) -> bool {
    metadata.get(WANT).is_some()
}

/// Tells it.
pub(crate) fn tell(trailers: &mut Metadata, took: Duration) {
    let value = format!("{HANDLER}{:.3}", 1e3 * took.as_secs_f64());
    let _ = trailers.append_raw(Bytes::from_static(TIMING.as_bytes()), value.into(), Some(false));
}

/// What was told; `None` where nothing was, or nothing that can be read.
pub(crate) fn told(trailers: &Metadata) -> Option<Duration> {
    let value = trailers.get_all(TIMING).find_map(|value| value.strip_prefix(HANDLER))?;
    let milliseconds: f64 = value.parse().ok()?;
    Duration::try_from_secs_f64(milliseconds / 1e3).ok()
}

/// Takes out what was told, for a caller who has not asked.
pub(crate) fn strip(trailers: &mut Metadata) {
    trailers.remove(TIMING);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_told_reads_back_to_the_microsecond() {
        let mut trailers = Metadata::new();
        tell(&mut trailers, Duration::from_micros(1_234_567));
        assert_eq!(trailers.get(TIMING), Some("handler;dur=1234.567"));
        assert_eq!(told(&trailers), Some(Duration::from_micros(1_234_567)));
        strip(&mut trailers);
        assert!(trailers.is_empty());
    }

    #[test]
    fn what_cannot_be_read_is_nothing() {
        for value in ["db;dur=1", "handler;dur=", "handler;dur=-1", "handler;dur=nan", "handler;dur=1e300"] {
            let mut trailers = Metadata::new();
            trailers.append(TIMING, value).unwrap();
            assert_eq!(told(&trailers), None, "{value}");
        }
    }

    #[test]
    fn the_question_is_seen() {
        let mut metadata = Metadata::new();
        assert!(!is_asked(&metadata));
        ask(&mut metadata);
        assert!(is_asked(&metadata));
    }
}
