use std::{future::Future, time::Duration};

use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};

use super::super::{
    MuxConfig, MuxConnection, MuxRecv, MuxSend,
    connection::start,
    frame::Frame,
    preface::{PREFACE, Settings},
};
use crate::transport::framed::{RecvStream, StreamError};

/// How many bytes the pipe between two ends holds.
pub(super) const PIPE: usize = 64 << 10;

/// Both ends of a connection, the client's first.
pub(super) fn pair(client: MuxConfig, server: MuxConfig) -> (MuxConnection, MuxConnection) {
    let (near, far) = tokio::io::duplex(PIPE);
    let (ours, theirs) = (client.settings(), server.settings());
    let end = |io, theirs, config, is_client| {
        let (reader, writer) = tokio::io::split(io);
        start::<DuplexStream>(reader, writer, theirs, config, is_client)
    };
    (end(near, theirs, client, true), end(far, ours, server, false))
}

/// A server's end, and its peer by hand, which allows it everything.
pub(super) fn by_hand(config: MuxConfig) -> (MuxConnection, Hand) {
    let (near, far) = tokio::io::duplex(PIPE);
    let (reader, writer) = tokio::io::split(far);
    let theirs = Settings { stream_window: 1 << 20, connection_window: 1 << 20, max_streams: 8 };
    (start(reader, writer, theirs, config, false), Hand { io: near, arrived: BytesMut::new() })
}

/// A peer that says whatever it is told to.
pub(super) struct Hand {
    pub(super) io: DuplexStream,
    arrived: BytesMut,
}

impl Hand {
    pub(super) async fn say(&mut self, bytes: impl AsRef<[u8]>) {
        self.io.write_all(bytes.as_ref()).await.unwrap();
    }

    /// The next frame that is not a sign of life; `None` where the other end has hung up.
    pub(super) async fn hear(&mut self) -> Option<Frame> {
        loop {
            match Frame::take(&mut self.arrived).expect("what we write is well-formed") {
                Some(Frame::Ping(_) | Frame::Pong(_)) => {}
                Some(frame) => return Some(frame),
                None => {
                    if within(self.io.read_buf(&mut self.arrived)).await.ok()? == 0 {
                        return None;
                    }
                }
            }
        }
    }
}

/// A preface with these settings.
pub(super) fn preface(settings: Settings) -> [u8; PREFACE] {
    settings.encode()
}

/// The outcome, which must come: under a paused clock nothing can wait for ever unnoticed.
pub(super) async fn within<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(600), future).await.expect("it never happened")
}

/// Returns once nobody has anything to do: so long a paused clock stands.
pub(super) async fn quiet() {
    tokio::time::sleep(Duration::from_millis(1)).await;
}

/// All that a direction brings, and how it ends.
pub(super) async fn read_all(recv: &mut MuxRecv) -> Result<Vec<u8>, StreamError> {
    let mut all = Vec::new();
    while let Some(chunk) = within(recv.read()).await? {
        all.extend_from_slice(&chunk);
    }
    Ok(all)
}

/// A stream from `near` to `far`: what each end holds of it.
pub(super) async fn stream(
    near: &MuxConnection,
    far: &MuxConnection,
) -> ((MuxSend, MuxRecv), (MuxSend, MuxRecv)) {
    use crate::transport::framed::Connection;

    let near = within(near.open(Bytes::new(), false)).await.unwrap();
    (near, within(far.accept()).await.unwrap())
}
