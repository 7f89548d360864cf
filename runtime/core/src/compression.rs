mod library;
mod set;
#[cfg(test)]
mod tests;

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

pub use set::CompressionSet;

use crate::{Status, Truncated};

/// The compression of messages. Nothing is compressed by default; it is enabled by
/// [`Call::compression`](crate::Call::compression) for the requests of a call,
/// [`Response::with_compression`](crate::Response::with_compression) for the answers.
///
/// A direction of a call has one compression, said before its first message, and each message is compressed
/// with it or plain: so it is in gRPC, and so it is on every transport. A message that compression would not
/// make smaller travels plain, and so does one that
/// [`Streaming::compress_if`](crate::Streaming::compress_if) leaves out.
///
/// What a message weighs against the [limits](crate::Limits) is its size without compression, at both ends: no
/// more than the limit is ever made of what arrives. Compressing what an attacker chose together with a secret
/// tells the secret by its length ([CRIME](https://en.wikipedia.org/wiki/CRIME)); leave such messages out.
///
/// ```
/// use polywire::Compression;
///
/// assert_eq!("zstd".parse(), Ok(Compression::Zstd));
/// assert_eq!(Compression::Gzip.to_string(), "gzip");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Compression {
    /// gzip, [RFC 1952](https://www.rfc-editor.org/rfc/rfc1952): every gRPC peer knows it.
    Gzip,
    /// Zstandard, [RFC 8878](https://www.rfc-editor.org/rfc/rfc8878): faster and smaller.
    Zstd,
}

impl Compression {
    /// All that there are, whether this build knows them or not.
    pub const ALL: [Self; 2] = [Self::Gzip, Self::Zstd];

    /// gRPC's name of it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Gzip => "gzip",
            Self::Zstd => "zstd",
        }
    }

    /// Whether this build knows it: each is a cargo feature of its name.
    pub const fn is_supported(self) -> bool {
        match self {
            Self::Gzip => cfg!(feature = "gzip"),
            Self::Zstd => cfg!(feature = "zstd"),
        }
    }

    /// Itself, where this build knows it.
    ///
    /// # Errors
    /// `Unimplemented`, with what is known.
    pub(crate) fn supported(self) -> Result<Self, Status> {
        if self.is_supported() { Ok(self) } else { Err(unknown(self.name())) }
    }
}

/// Messages are compressed in a way that this build does not know.
pub(crate) fn unknown(name: &str) -> Status {
    Status::unimplemented(format!(
        "compression {:?} is not known here; supported: {}",
        Truncated(name),
        CompressionSet::supported()
    ))
}

impl fmt::Display for Compression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// An unknown compression name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("compression {0:?} is not known; expected `gzip` or `zstd`")]
pub struct UnknownCompression(String);

impl FromStr for Compression {
    type Err = UnknownCompression;

    fn from_str(name: &str) -> Result<Self, UnknownCompression> {
        let known = Self::ALL.into_iter().find(|compression| compression.name() == name);
        known.ok_or_else(|| UnknownCompression(name.to_owned()))
    }
}
