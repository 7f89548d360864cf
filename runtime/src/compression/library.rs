use std::io::{self, Read};

use bytes::{Bytes, BytesMut};

use super::Compression;
use crate::Status;

/// The largest window that a Zstandard frame may ask for, as a power of two: 8 MiB, what every decoder should
/// support and no encoder should pass (RFC 8878, section 3.1.1.1.2; RFC 9659). The library makes room for it as
/// soon as the frame's header says so, and its own limit would be 128 MiB.
#[cfg(feature = "zstd")]
const WINDOW_LOG: u32 = 23;

impl Compression {
    /// Compresses what the buffer holds from `start` on, which must be within it. False where that is no smaller;
    /// then nothing has changed.
    ///
    /// # Errors
    /// `Unimplemented` where this build does not know the algorithm.
    pub(crate) fn compress_from(self, start: usize, buffer: &mut BytesMut) -> Result<bool, Status> {
        let plain = &buffer[start..];
        let compressed = self.compress(plain)?;
        if compressed.len() >= plain.len() {
            return Ok(false);
        }
        buffer.truncate(start);
        buffer.extend_from_slice(&compressed);
        Ok(true)
    }

    fn compress(self, plain: &[u8]) -> Result<Vec<u8>, Status> {
        let compressed: io::Result<Vec<u8>> = match self {
            #[cfg(feature = "gzip")]
            Self::Gzip => {
                use io::Write;
                let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
                encoder.write_all(plain).and_then(|()| encoder.finish())
            }
            #[cfg(feature = "zstd")]
            Self::Zstd => zstd::bulk::compress(plain, zstd::DEFAULT_COMPRESSION_LEVEL),
            #[cfg(not(all(feature = "gzip", feature = "zstd")))]
            _ => return Err(super::unknown(self.name())),
        };
        compressed
            .map_err(|error| Status::internal(format!("a message does not compress with {self}: {error}")))
    }

    /// What was compressed, no more than `limit` bytes of it. Memory grows with what comes out of the data,
    /// never with what they announce.
    ///
    /// # Errors
    /// `ResourceExhausted` where there is more, `Internal` where the data are not whole, `Unimplemented`
    /// where this build does not know the algorithm.
    pub(crate) fn decompress(self, data: &[u8], limit: usize) -> Result<Bytes, Status> {
        // Neither format makes nothing of anything, but one library takes nothing for a whole.
        if data.is_empty() {
            return Err(Status::internal(format!("a message compressed with {self} has no bytes")));
        }
        let decompressed: io::Result<Vec<u8>> = match self {
            #[cfg(feature = "gzip")]
            Self::Gzip => read(flate2::bufread::MultiGzDecoder::new(data), data.len(), limit),
            #[cfg(feature = "zstd")]
            Self::Zstd => zstd::Decoder::with_buffer(data).and_then(|mut decoder| {
                decoder.window_log_max(WINDOW_LOG)?;
                read(decoder, data.len(), limit)
            }),
            #[cfg(not(all(feature = "gzip", feature = "zstd")))]
            _ => return Err(super::unknown(self.name())),
        };
        match decompressed {
            Ok(message) if message.len() <= limit => Ok(message.into()),
            Ok(_) => Err(Status::resource_exhausted(format!(
                "a message compressed with {self} is larger than the limit of {limit} bytes"
            ))),
            Err(error) => {
                Err(Status::internal(format!("a message does not decompress with {self}: {error}")))
            }
        }
    }
}

/// Reads to the end, or one byte beyond the limit.
#[cfg(any(feature = "gzip", feature = "zstd"))]
fn read(decoder: impl Read, arrived: usize, limit: usize) -> io::Result<Vec<u8>> {
    let mut message = Vec::with_capacity(arrived.saturating_mul(2).min(limit));
    let enough = u64::try_from(limit).unwrap_or(u64::MAX).saturating_add(1);
    decoder.take(enough).read_to_end(&mut message)?;
    Ok(message)
}

#[cfg(all(test, any(feature = "gzip", feature = "zstd")))]
mod tests {
    use super::*;

    #[test]
    fn data_without_an_end_are_read_as_far_as_the_limit() {
        let message = read(io::repeat(7), 1 << 30, 100_000).unwrap();
        assert_eq!(message.len(), 100_001);
        assert!(message.capacity() <= 2 * 100_000 + 1_000, "{}", message.capacity());
    }
}
