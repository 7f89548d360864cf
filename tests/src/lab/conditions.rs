use std::{ops::RangeInclusive, time::Duration};

/// What one direction of the link does to packets. By default all arrive, once, in order and at once.
///
/// The rules apply in the order of the fields from the bottom up: what is not let through is dropped, of the rest
/// some are lost, and what remains waits for its turn at the rate and is then under way for the delay.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Conditions {
    /// How long each packet is under way. A round trip takes that of both directions.
    pub delay: Duration,
    /// By how much at most a packet is earlier or later than `delay` says, evenly spread, but never before it was
    /// sent. Packets closer to each other than this may change places.
    pub jitter: Duration,
    /// Of a hundred packets, how many arrive later than those sent within the next [`HELD_BACK`](Self::HELD_BACK).
    pub reorder: f64,
    /// Of a hundred packets, how many arrive twice.
    pub duplicate: f64,
    /// How much can be sent, in bits a second; `None` is without bound.
    pub rate: Option<u64>,
    /// How many bytes wait for their turn at `rate`; what does not fit is dropped. 256 KiB by default.
    pub queue: usize,
    /// Of a hundred packets, how many are lost.
    pub loss: f64,
    /// Whether UDP is dropped, as firewalls do: without a word.
    pub udp_dropped: bool,
    /// Whether TCP is dropped.
    pub tcp_dropped: bool,
    /// How many bytes a packet of TCP has at most; larger ones are dropped without a word, as where a link on the way
    /// carries less than its ends believe and what would say so is filtered ([RFC 2923, section 2.1]).
    ///
    /// [RFC 2923, section 2.1]: https://www.rfc-editor.org/rfc/rfc2923#section-2.1
    pub largest_tcp: Option<usize>,
    /// Whether everything is dropped.
    pub down: bool,
}

impl Conditions {
    /// How much later a packet is that is held back.
    pub const HELD_BACK: Duration = Duration::from_millis(5);

    /// # Panics
    /// When a chance is none, or the rate is 0.
    pub(super) fn check(&self) {
        const PERCENT: RangeInclusive<f64> = 0.0..=100.0;
        let Self { loss, duplicate, reorder, rate, .. } = self;
        for chance in [loss, duplicate, reorder] {
            assert!(PERCENT.contains(chance), "{chance} is not a number of a hundred packets");
        }
        assert_ne!(*rate, Some(0), "a link that sends nothing is down");
    }
}

impl Default for Conditions {
    fn default() -> Self {
        Self {
            delay: Duration::ZERO,
            jitter: Duration::ZERO,
            reorder: 0.0,
            duplicate: 0.0,
            rate: None,
            queue: 256 << 10,
            loss: 0.0,
            udp_dropped: false,
            tcp_dropped: false,
            largest_tcp: None,
            down: false,
        }
    }
}
