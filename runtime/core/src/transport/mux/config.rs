use std::time::Duration;

use super::{frame::MAX_PAYLOAD, preface::Settings};

/// What one multiplexed connection may cost, and how it notices that the peer is gone. Every limit is finite.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MuxConfig {
    /// How many streams the peer may have open at once. Default 1,024, as over QUIC. A peer knows the number
    /// and waits; streams beyond it are refused as not processed.
    pub max_concurrent_streams: u32,
    /// How many bytes of one stream may wait to be read. Default 256 KiB; less than 16 KiB, the largest
    /// frame, counts as that.
    pub stream_window: u32,
    /// How many bytes of all streams may wait to be read. Default 16 MiB, as over QUIC; less than 16 KiB
    /// counts as that.
    pub connection_window: u32,
    /// How often the peer is asked whether it is alive, which also measures the round-trip time. Default
    /// 3 s; less than a millisecond counts as that.
    pub keep_alive_interval: Duration,
    /// How long the peer may be silent before it counts as gone. Default 10 s. Less than two keep-alive
    /// intervals takes peers for gone that merely have nothing to say.
    pub idle_timeout: Duration,
    /// How long the peer may take for its greeting. Default 10 s.
    pub handshake_timeout: Duration,
}

impl Default for MuxConfig {
    fn default() -> Self {
        Self {
            max_concurrent_streams: 1024,
            stream_window: 256 << 10,
            connection_window: 16 << 20,
            keep_alive_interval: Duration::from_secs(3),
            idle_timeout: Duration::from_secs(10),
            handshake_timeout: Duration::from_secs(10),
        }
    }
}

impl MuxConfig {
    /// What the peer is told.
    pub(super) fn settings(&self) -> Settings {
        let at_least = MAX_PAYLOAD as u32;
        Settings {
            stream_window: self.stream_window.max(at_least),
            connection_window: self.connection_window.max(at_least),
            max_streams: self.max_concurrent_streams,
        }
    }
}
