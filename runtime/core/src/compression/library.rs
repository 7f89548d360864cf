use std::io::{self, Read};

use bytes::{Bytes, BytesMut};

#[cfg(not(feature = "gzip"))]
use self::absent as gzip;
#[cfg(not(feature = "zstd"))]
use self::absent as zstandard;
use super::Compression;
use crate::Status;

impl Compression {
    /// Compresses what the buffer holds from `start` on, which must be within it. False where that is no smaller;
    /// then nothing has changed.
    ///
    /// # Errors
    /// `Unimplemented` where this build does not know the algorithm.
    pub(crate) fn compress_from(self, start: usize, buffer: &mut BytesMut) -> Result<bool, Status> {
        let plain = &buffer[start..];
        let compressed = match self.supported()? {
            Self::Gzip => gzip::compress(plain),
            Self::Zstd => zstandard::compress(plain),
        };
        let compressed = compressed
            .map_err(|error| Status::internal(format!("a message does not compress with {self}: {error}")))?;
        if compressed.len() >= plain.len() {
            return Ok(false);
        }
        buffer.truncate(start);
        buffer.extend_from_slice(&compressed);
        Ok(true)
    }

    /// What was compressed, no more than `limit` bytes of it. Memory grows with what comes out of the data,
    /// never with what they announce.
    ///
    /// # Errors
    /// `ResourceExhausted` where there is more, `Internal` where the data are not whole, `Unimplemented`
    /// where this build does not know the algorithm.
    pub(crate) fn decompress(self, data: &[u8], limit: usize) -> Result<Bytes, Status> {
        let decoder = match self.supported()? {
            // Neither format makes nothing of anything, but one library takes nothing for a whole.
            _ if data.is_empty() => Err(io::ErrorKind::UnexpectedEof.into()),
            Self::Gzip => gzip::decoder(data),
            Self::Zstd => zstandard::decoder(data),
        };
        match decoder.and_then(|decoder| read(decoder, data.len(), limit)) {
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

/// Gives out what was compressed. The box is small beside what each library allocates for itself.
type Decoder<'a> = Box<dyn Read + 'a>;

/// Reads to the end, or one byte beyond the limit.
fn read(decoder: impl Read, arrived: usize, limit: usize) -> io::Result<Vec<u8>> {
    let mut message = Vec::with_capacity(arrived.saturating_mul(2).min(limit));
    let enough = u64::try_from(limit).unwrap_or(u64::MAX).saturating_add(1);
    decoder.take(enough).read_to_end(&mut message)?;
    Ok(message)
}

#[cfg(feature = "gzip")]
mod gzip {
    use std::io::{self, Write};

    use super::Decoder;

    pub(super) fn compress(plain: &[u8]) -> io::Result<Vec<u8>> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        encoder.write_all(plain)?;
        encoder.finish()
    }

    pub(super) fn decoder(data: &[u8]) -> io::Result<Decoder<'_>> {
        Ok(Box::new(flate2::bufread::MultiGzDecoder::new(data)))
    }
}

#[cfg(feature = "zstd")]
mod zstandard {
    use std::io;

    use super::Decoder;

    /// The largest window that a frame may ask for, as a power of two: 8 MiB, what every decoder should support
    /// and no encoder should pass (RFC 8878, section 3.1.1.1.2; RFC 9659). The library makes room for it as soon
    /// as the frame's header says so, and its own limit would be 128 MiB.
    const WINDOW_LOG: u32 = 23;

    pub(super) fn compress(plain: &[u8]) -> io::Result<Vec<u8>> {
        zstd::bulk::compress(plain, zstd::DEFAULT_COMPRESSION_LEVEL)
    }

    pub(super) fn decoder(data: &[u8]) -> io::Result<Decoder<'_>> {
        let mut decoder = zstd::Decoder::with_buffer(data)?;
        decoder.window_log_max(WINDOW_LOG)?;
        Ok(Box::new(decoder))
    }
}

/// A library that this build is without.
#[cfg(not(all(feature = "gzip", feature = "zstd")))]
mod absent {
    use std::io;

    use super::Decoder;

    pub(super) fn compress(_: &[u8]) -> io::Result<Vec<u8>> {
        Err(io::ErrorKind::Unsupported.into())
    }

    pub(super) fn decoder(_: &[u8]) -> io::Result<Decoder<'_>> {
        Err(io::ErrorKind::Unsupported.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn data_without_an_end_are_read_as_far_as_the_limit() {
        let message = read(io::repeat(7), 1 << 30, 100_000).unwrap();
        assert_eq!(message.len(), 100_001);
        assert!(message.capacity() <= 2 * 100_000 + 1_000, "{}", message.capacity());
    }
}
