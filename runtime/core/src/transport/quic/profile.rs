use std::time::Duration;

use quinn::{AckFrequencyConfig, TransportConfig, VarInt};

/// How QUIC connections are tuned for calls. A caller's own comes with
/// [`ConnectOptions::with`](crate::ConnectOptions::with).
///
/// | what | value | why |
/// |---|---|---|
/// | bidirectional streams | [`max_concurrent_streams`](Self::max_concurrent_streams) | a stream counts until its answer's end is acknowledged: 100 of them are 2,000 calls/s at 50 ms |
/// | bytes that no handler has read yet | 16 MiB a connection | the streams' own windows (1.25 MB each) would come to more than a gigabyte |
/// | unidirectional streams, datagrams | none | nothing uses them |
/// | ACK frequency | every 10 packets, at most 5 ms late | a ping-pong otherwise sends half again as many datagrams, and a lost tail waits for the default 25 ms |
/// | round trip before any is measured | 100 ms | a first packet that was lost is sent again after 0.3 s, and a peer that is not there is forgotten after 0.9 s; 1 s and 3 s by the 333 ms of RFC 9002 |
/// | idle timeout, keep-alive | as configured | a peer that vanished is noticed after the idle timeout, 30 s by quinn's default |
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

/// How late an acknowledgement may be.
const MAX_ACK_DELAY: Duration = Duration::from_millis(5);

/// How many packets may wait for one acknowledgement.
const ACK_THRESHOLD: u32 = 10;

/// What the round trip is taken for until it has been measured.
const INITIAL_RTT: Duration = Duration::from_millis(100);

/// How many bytes of one connection may wait to be read.
const RECEIVE_WINDOW: u32 = 16 << 20;

impl QuicProfile {
    /// The profile as quinn takes it.
    pub(super) fn transport_config(&self) -> TransportConfig {
        let mut acks = AckFrequencyConfig::default();
        acks.ack_eliciting_threshold(VarInt::from_u32(ACK_THRESHOLD)).max_ack_delay(Some(MAX_ACK_DELAY));
        let mut config = TransportConfig::default();
        config
            .max_concurrent_bidi_streams(VarInt::from_u32(self.max_concurrent_streams))
            .receive_window(VarInt::from_u32(RECEIVE_WINDOW))
            .max_concurrent_uni_streams(VarInt::from_u32(0))
            .datagram_receive_buffer_size(None)
            .ack_frequency_config(Some(acks))
            .initial_rtt(INITIAL_RTT)
            // A timeout beyond what QUIC can say is none.
            .max_idle_timeout(self.idle_timeout.try_into().ok())
            .keep_alive_interval(Some(self.keep_alive_interval));
        config
    }
}
