/// What has happened to the packets of one direction. Each that a side sent is dropped, under way, or forwarded, and
/// then again if it was doubled.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Handed to the other side, second copies too.
    pub forwarded: u64,
    /// Doubled.
    pub duplicated: u64,
    /// Forwarded after one that was sent later, as [RFC 4737](https://www.rfc-editor.org/rfc/rfc4737#section-3.3)
    /// counts.
    pub reordered: u64,
    /// Not forwarded.
    pub dropped: Dropped,
}

/// Packets that were not forwarded, by the cause.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Dropped {
    /// The link was down.
    pub down: u64,
    /// UDP was dropped.
    pub udp: u64,
    /// TCP was dropped.
    pub tcp: u64,
    /// TCP, and too large.
    pub large: u64,
    /// Lost by chance.
    pub lost: u64,
    /// The queue was full.
    pub overflow: u64,
    /// The device of the other side did not take it.
    pub refused: u64,
}

impl Dropped {
    /// All of them.
    pub fn total(&self) -> u64 {
        let Self { down, udp, tcp, large, lost, overflow, refused } = self;
        down + udp + tcp + large + lost + overflow + refused
    }
}
