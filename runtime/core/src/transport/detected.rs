use std::io;

#[cfg(feature = "grpc")]
use bytes::BytesMut;
use futures_util::future::BoxFuture;
#[cfg(feature = "grpc")]
use tokio::io::AsyncReadExt as _;
use tokio::io::{AsyncRead, AsyncWrite};

use super::{Limits, Serving, net::Rewound};
use crate::Caller;

/// Tells by its first byte what a client of a listener of the [`mux`](super::mux) speaks, and serves HTTP/2, which is gRPC,
/// where this build has it. The listener knows no gRPC.
#[derive(Clone)]
pub(crate) struct Detector {
    #[cfg(feature = "grpc")]
    grpc: super::grpc::Pipes,
}

/// What a client speaks.
pub(crate) enum Detected<Io> {
    /// HTTP/2: this future serves the connection until it ends.
    #[cfg_attr(not(feature = "grpc"), expect(dead_code, reason = "a build without gRPC detects none"))]
    Http2(BoxFuture<'static, ()>),
    /// Anything else. It reads as if nothing had been read.
    Other(Rewound<Io>),
}

/// How the preface of HTTP/2 begins
/// ([RFC 9113, 3.4](https://www.rfc-editor.org/rfc/rfc9113#section-3.4)). The multiplexer's begins with a small letter.
#[cfg(feature = "grpc")]
const HTTP2: u8 = b'P';

impl Detector {
    /// Serves with this, each call within the limits, and so many at once on a connection.
    pub(crate) fn new(serving: &Serving, limits: &Limits, max_concurrent_streams: u32) -> Self {
        #[cfg(not(feature = "grpc"))]
        let _ = (serving, limits, max_concurrent_streams);
        Self {
            #[cfg(feature = "grpc")]
            grpc: super::grpc::Pipes::new(serving, limits, max_concurrent_streams),
        }
    }

    /// Reads until it is known what this caller's client speaks: a byte, and for HTTP/2 up to the end of the first SETTINGS.
    /// The caller of this bounds its time.
    ///
    /// # Errors
    /// The pipe breaks or ends, or the client speaks no protocol that begins so.
    pub(crate) async fn detect<Io>(&self, io: Io, caller: &Caller) -> io::Result<Detected<Io>>
    where
        Io: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        #[cfg(feature = "grpc")]
        let io = {
            let mut io = io;
            let mut first = BytesMut::with_capacity(FIRST_READ);
            if io.read_buf(&mut first).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            let is_http2 = first[0] == HTTP2;
            let io = Rewound::new(first.freeze(), io);
            if is_http2 {
                return Ok(Detected::Http2(self.grpc.clone().accept(io, caller.clone()).await?));
            }
            io
        };
        #[cfg(not(feature = "grpc"))]
        let io = {
            let _ = caller;
            Rewound::new(bytes::Bytes::new(), io)
        };
        Ok(Detected::Other(io))
    }
}

/// How much is read at first, in bytes: either preface with what clients send behind it at once.
#[cfg(feature = "grpc")]
const FIRST_READ: usize = 256;

impl std::fmt::Debug for Detector {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Detector").finish_non_exhaustive()
    }
}
