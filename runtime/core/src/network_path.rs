use std::time::Duration;

/// The way that packets to a peer take now, as the transport knows it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NetworkPath {
    /// The address at the other end, such as `192.0.2.1:4433`; `None` where a relay stands in between.
    pub remote: Option<String>,
    /// The URL of the relay that forwards the packets; `None` where they go directly.
    pub relay: Option<String>,
    /// How long a packet takes to the peer and back, smoothed; `None` where the transport does not measure it.
    pub round_trip: Option<Duration>,
}

impl NetworkPath {
    /// A direct way to this address.
    pub fn direct(remote: impl Into<String>) -> Self {
        Self { remote: Some(remote.into()), ..Self::default() }
    }

    /// A way through the relay at this URL.
    pub fn relayed(relay: impl Into<String>) -> Self {
        Self { relay: Some(relay.into()), ..Self::default() }
    }

    /// The same way, that takes this long.
    #[must_use]
    pub fn taking(mut self, round_trip: Duration) -> Self {
        self.round_trip = Some(round_trip);
        self
    }
}
