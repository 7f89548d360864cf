use std::time::Duration;

use ::iroh::endpoint::{ConnectOptions, QuicTransportConfig, VarInt};

/// How QUIC connections are tuned for calls.
///
/// | what | value | why |
/// |---|---|---|
/// | bidirectional streams | [`max_concurrent_streams`](Self::max_concurrent_streams) | a stream counts until its answer's end is acknowledged: 100 of them are 2,000 calls/s at 50 ms |
/// | bytes that no handler has read yet | 16 MiB a connection | the streams' own windows (1.25 MB each) would come to more than a gigabyte |
/// | unidirectional streams, datagrams | none | nothing uses them |
/// | ACK frequency | not asked for | noq 1.4 writes the frame that asks for it without looking whether there is room, panics and takes the process with it: one client that stalls in its handshake suffices. A ping-pong pays for that with 1.5 instead of 1.2 datagrams a call, and with a sixth more time |
/// | idle timeout, keep-alive | as configured | a peer that vanished is noticed after the idle timeout, 30 s by iroh's default |
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QuicProfile {
    /// How many calls a peer may have open on one connection. Default 1,024.
    pub max_concurrent_streams: u32,
    /// How long a connection may be silent before it counts as lost. Default 10 s.
    pub idle_timeout: Duration,
    /// How often a silent connection says that it is alive. Default 3 s.
    pub keep_alive_interval: Duration,
}

impl Default for QuicProfile {
    fn default() -> Self {
        Self {
            max_concurrent_streams: 1024,
            idle_timeout: Duration::from_secs(10),
            keep_alive_interval: Duration::from_secs(3),
        }
    }
}

/// How many bytes of one connection may wait to be read.
pub(super) const RECEIVE_WINDOW: u32 = 16 << 20;

impl QuicProfile {
    /// The profile as iroh takes it, for [`Builder::transport_config`](iroh::endpoint::Builder::transport_config).
    pub fn transport_config(&self) -> QuicTransportConfig {
        QuicTransportConfig::builder()
            .max_concurrent_bidi_streams(VarInt::from_u32(self.max_concurrent_streams))
            .receive_window(VarInt::from_u32(RECEIVE_WINDOW))
            .max_concurrent_uni_streams(VarInt::from_u32(0))
            .datagram_receive_buffer_size(None)
            // A timeout beyond what QUIC can say is none.
            .max_idle_timeout(self.idle_timeout.try_into().ok())
            .keep_alive_interval(self.keep_alive_interval)
            .build()
    }

    pub(super) fn connect_options(&self) -> ConnectOptions {
        ConnectOptions::new().with_transport_config(self.transport_config())
    }
}
