use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use rustls::ServerConfig;

use crate::transport::ConnectionGauge;

/// Limits and times of a [`Listener`](super::Listener). All are finite by default.
#[derive(Clone)]
pub struct ListenerOptions {
    /// Connections held at once; default 1,024, at least 1. Beyond it clients wait in the kernel's backlog.
    pub max_connections: usize,
    /// From accept to the end of the TLS handshake and, for HTTP/2, of the client's preface and first
    /// SETTINGS; default 10 s.
    pub handshake_timeout: Duration,
    /// HTTP/1: time for a whole request head, counted from the end of the answer before it, so it bounds idle
    /// connections too; default 10 s.
    pub header_read_timeout: Duration,
    /// HTTP/2: a PING goes out after this long without a frame from the client; default 10 s.
    pub keep_alive_interval: Duration,
    /// HTTP/2: the connection is closed when a PING has not been answered for this long; default 10 s.
    pub keep_alive_timeout: Duration,
    /// HTTP/2: open streams a connection, advertised as SETTINGS_MAX_CONCURRENT_STREAMS; default 1,000.
    pub max_concurrent_streams: u32,
    /// HTTP/2: bytes a client may send on one stream before the handler has read them; default 1 MiB.
    pub stream_window: u32,
    /// HTTP/2: bytes a client may send on all streams of a connection before handlers have read them; default
    /// 4 MiB, more than one stream's, so that one handler that does not read leaves room for the others.
    pub connection_window: u32,
    /// Bytes of all header fields of a request, counted as [RFC 9113, 6.5.2] does for HTTP/2; default 16 KiB,
    /// the limit h2 takes by itself and twice what gRPC's implementations allow for metadata.
    ///
    /// HTTP/1 takes it for the size of the whole head, but not less than 8 KiB.
    ///
    /// [RFC 9113, 6.5.2]: https://www.rfc-editor.org/rfc/rfc9113#section-6.5.2
    pub max_header_bytes: u32,
    /// Certificate and key to serve TLS with, for instance of [`TlsFiles`](super::TlsFiles); default none.
    pub tls: Option<Arc<ServerConfig>>,
    /// Told of every connection that opens and closes; default none.
    pub gauge: Option<Arc<dyn ConnectionGauge>>,
}

impl ListenerOptions {
    /// How long a write may stand still before its connection is given up.
    ///
    /// A client that does not empty its socket cannot answer a PING either, so keep-alive's patience is the
    /// measure. Without this bound a PING's timeout alone does not free the connection: closing begins with a
    /// GOAWAY, which would wait behind the unread bytes.
    pub(super) fn write_stall_limit(&self) -> Duration {
        self.keep_alive_interval.saturating_add(self.keep_alive_timeout)
    }
}

impl Default for ListenerOptions {
    fn default() -> Self {
        Self {
            max_connections: 1_024,
            handshake_timeout: Duration::from_secs(10),
            header_read_timeout: Duration::from_secs(10),
            keep_alive_interval: Duration::from_secs(10),
            keep_alive_timeout: Duration::from_secs(10),
            max_concurrent_streams: 1_000,
            stream_window: 1 << 20,
            connection_window: 4 << 20,
            max_header_bytes: 16 << 10,
            tls: None,
            gauge: None,
        }
    }
}

impl fmt::Debug for ListenerOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ListenerOptions")
            .field("max_connections", &self.max_connections)
            .field("handshake_timeout", &self.handshake_timeout)
            .field("header_read_timeout", &self.header_read_timeout)
            .field("keep_alive_interval", &self.keep_alive_interval)
            .field("keep_alive_timeout", &self.keep_alive_timeout)
            .field("max_concurrent_streams", &self.max_concurrent_streams)
            .field("stream_window", &self.stream_window)
            .field("connection_window", &self.connection_window)
            .field("max_header_bytes", &self.max_header_bytes)
            .field("tls", &self.tls.is_some())
            .field("gauge", &self.gauge.is_some())
            .finish()
    }
}
