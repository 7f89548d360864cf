use std::{sync::Arc, time::Duration};

use bytes::{Buf, BytesMut};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadHalf, WriteHalf},
    time::Instant,
};

use super::{batch::Batch, config::MuxConfig, error::MuxError, frame, shared::MuxShared};

/// How many bytes are read at once.
pub(super) const READ: usize = 64 << 10;

/// Less room than this is not worth a read.
const MIN_READ: usize = 16 << 10;

/// With no more streams open than this, gathering costs more than it saves, as it does over QUIC.
const FEW: usize = 3;

/// How long a close may take to reach the peer, and the peer to hang up.
const PARTING: Duration = Duration::from_secs(1);

/// A time so far off that it never comes, yet within what clocks can say.
const NEVER: Duration = Duration::from_secs(86_400 * 365 * 30);

/// Reads, writes and keeps alive one connection until it is over.
pub(super) async fn drive<T>(
    mut reader: ReadHalf<T>,
    mut writer: WriteHalf<T>,
    shared: Driven,
    config: MuxConfig,
) where
    T: AsyncRead + AsyncWrite,
{
    let mut batch = Batch::new(writer.is_write_vectored());
    let mut over = shared.0.over.subscribe();
    let end = tokio::select! {
        error = read(&mut reader, &shared.0) => error,
        error = write(&mut writer, &shared.0, &mut batch) => error,
        error = keep_alive(&shared.0, &config) => error,
        over = over.wait_for(Option::is_some) => {
            over.ok().and_then(|over| over.clone()).unwrap_or(MuxError::NotDriven)
        }
    };
    shared.0.end(end.clone());
    // An error says that the peer is gone, or takes too long to go.
    let _ = tokio::time::timeout(PARTING, part(reader, writer, &shared.0, batch, end)).await;
}

/// Ends the connection when the driver ends for any reason, even before its first poll, so that no stream waits for it.
pub(super) struct Driven(pub(super) Arc<MuxShared>);

impl Drop for Driven {
    fn drop(&mut self) {
        self.0.end(MuxError::NotDriven);
    }
}

async fn read<T: AsyncRead>(reader: &mut ReadHalf<T>, shared: &MuxShared) -> MuxError {
    let mut buffer = BytesMut::with_capacity(READ);
    loop {
        if buffer.capacity() - buffer.len() < MIN_READ {
            buffer.reserve(READ);
        }
        match reader.read_buf(&mut buffer).await {
            Ok(0) => return MuxError::Ended,
            Ok(_) => {}
            Err(error) => return error.into(),
        }
        if let Err(error) = shared.with(|state| state.receive(&mut buffer)) {
            return error;
        }
    }
}

async fn write<T: AsyncWrite>(writer: &mut WriteHalf<T>, shared: &MuxShared, batch: &mut Batch) -> MuxError {
    loop {
        shared.work.notified().await;
        if shared.with(|state| state.streams.len()) > FEW {
            // What else is ready to run has its say first, and goes out in the same write.
            tokio::task::yield_now().await;
        }
        if let Err(error) = write_all(writer, shared, batch).await {
            return error;
        }
    }
}

/// Writes what there is to write. Cancelled, it leaves in the batch what has not been written of it.
async fn write_all<T: AsyncWrite>(
    writer: &mut WriteHalf<T>,
    shared: &MuxShared,
    batch: &mut Batch,
) -> Result<(), MuxError> {
    loop {
        while batch.has_remaining() {
            if writer.write_buf(batch).await? == 0 {
                return Err(MuxError::Ended);
            }
        }
        shared.with(|state| state.gather(batch));
        if !batch.has_remaining() {
            writer.flush().await?;
            return Ok(());
        }
    }
}

async fn keep_alive(shared: &MuxShared, config: &MuxConfig) -> MuxError {
    let interval = config.keep_alive_interval.max(Duration::from_millis(1));
    let mut ask_at = Instant::now();
    loop {
        let gone_at = after(shared.with(|state| state.liveness.heard), config.idle_timeout);
        tokio::time::sleep_until(gone_at.min(ask_at)).await;
        let now = Instant::now();
        let heard = shared.with(|state| {
            if now >= ask_at {
                state.ask();
            }
            state.liveness.heard
        });
        if now >= after(heard, config.idle_timeout) {
            return MuxError::Silent(config.idle_timeout);
        }
        if now >= ask_at {
            ask_at = after(now, interval);
        }
    }
}

fn after(instant: Instant, time: Duration) -> Instant {
    instant + time.min(NEVER)
}

/// Tells the peer why the connection is over where it may still listen, behind what was written before, and
/// hangs up. A pipe that is dropped with bytes unread may take back what was just written, so they are read
/// until the peer hangs up too.
async fn part<T: AsyncRead + AsyncWrite>(
    mut reader: ReadHalf<T>,
    mut writer: WriteHalf<T>,
    shared: &MuxShared,
    mut batch: Batch,
    end: MuxError,
) -> Result<(), MuxError> {
    let Some((code, reason)) = end.farewell() else {
        writer.shutdown().await?;
        return Ok(());
    };
    let say = async {
        write_all(&mut writer, shared, &mut batch).await?;
        batch.put(|buffer| frame::put_close(buffer, code, &reason));
        batch.seal();
        while batch.has_remaining() && writer.write_buf(&mut batch).await? > 0 {}
        writer.shutdown().await?;
        Ok(())
    };
    let listen = async {
        let mut unread = BytesMut::with_capacity(MIN_READ);
        while reader.read_buf(&mut unread).await? > 0 {
            unread.clear();
        }
        Ok(())
    };
    tokio::try_join!(say, listen).map(|((), ())| ())
}
