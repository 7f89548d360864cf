use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use super::{
    error::{MuxError, Violation},
    frame::MAX_PAYLOAD,
};

/// What both sides begin with.
const MAGIC: [u8; 7] = *b"polymux";

/// The version of the multiplexer that this side speaks.
const VERSION: u8 = 1;

/// How long a preface is, in bytes.
pub(super) const PREFACE: usize = 20;

/// What a side says of itself in its preface.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Settings {
    /// How many bytes of one stream it takes unread, at first.
    pub(super) stream_window: u32,
    /// How many bytes of all streams it takes unread, at first.
    pub(super) connection_window: u32,
    /// How many streams its peer may have open.
    pub(super) max_streams: u32,
}

impl Settings {
    pub(super) fn encode(self) -> [u8; PREFACE] {
        let mut bytes = [0; PREFACE];
        bytes[..7].copy_from_slice(&MAGIC);
        bytes[7] = VERSION;
        bytes[8..12].copy_from_slice(&self.stream_window.to_be_bytes());
        bytes[12..16].copy_from_slice(&self.connection_window.to_be_bytes());
        bytes[16..].copy_from_slice(&self.max_streams.to_be_bytes());
        bytes
    }

    pub(super) fn parse(bytes: &[u8; PREFACE]) -> Result<Self, MuxError> {
        check(bytes)?;
        let number = |at: usize| u32::from_be_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]);
        let settings =
            Self { stream_window: number(8), connection_window: number(12), max_streams: number(16) };
        if settings.stream_window.min(settings.connection_window) < MAX_PAYLOAD as u32 {
            return Err(Violation::protocol("its windows are smaller than a frame of 16,384 bytes").into());
        }
        Ok(settings)
    }
}

/// Whether the bytes that have arrived so far can be the beginning of a preface.
fn check(arrived: &[u8]) -> Result<(), MuxError> {
    let magic = arrived.len().min(MAGIC.len());
    if arrived[..magic] != MAGIC[..magic] {
        return Err(MuxError::NotMux(arrived.to_vec()));
    }
    match arrived.get(MAGIC.len()) {
        Some(&version) if version != VERSION => Err(MuxError::Version(version)),
        _ => Ok(()),
    }
}

/// Greets the peer, and hears its greeting. Both sides greet at once, and neither waits for the other to be
/// read.
pub(super) async fn exchange(
    reader: &mut (impl AsyncRead + Unpin),
    writer: &mut (impl AsyncWrite + Unpin),
    ours: Settings,
) -> Result<Settings, MuxError> {
    let write = async {
        writer.write_all(&ours.encode()).await?;
        writer.flush().await?;
        Ok(())
    };
    let ((), theirs) = tokio::try_join!(write, read(reader))?;
    Ok(theirs)
}

/// Reads the peer's preface, and not a byte beyond it. Something else is found out by its first bytes: it
/// may never send as many as a preface has.
async fn read(reader: &mut (impl AsyncRead + Unpin)) -> Result<Settings, MuxError> {
    let mut bytes = [0; PREFACE];
    let mut arrived = 0;
    while arrived < PREFACE {
        match reader.read(&mut bytes[arrived..]).await? {
            0 => return Err(MuxError::Ended),
            more => arrived += more,
        }
        check(&bytes[..arrived])?;
    }
    Settings::parse(&bytes)
}
