//! Which transport a message of Raft's takes: `transport.strategy.raft_transport`.

use std::time::Duration;

use polywire::config::RaftTransport;
use tokio::time::Instant;

/// What is known of the way to a member over one transport.
#[derive(Clone, Debug, Default)]
pub(super) struct Way {
    /// Moving average of how long messages of consensus took that were answered.
    pub(super) latency: Option<Duration>,
    /// When a call was answered last.
    pub(super) last_contact: Option<Instant>,
    /// Why the last call failed, and when; `None` since one went well.
    pub(super) failure: Option<(Instant, String)>,
    /// Why and when a call failed last, whatever went well since.
    pub(super) last_failure: Option<(Instant, String)>,
    /// When it was tried last although another way was better.
    probed: Option<Instant>,
}

/// How much the latest call weighs in the average; about the last ten count.
const WEIGHT: f64 = 0.2;

/// How long a way that is set aside rests before one call tries it again.
const REST: Duration = Duration::from_secs(2);

/// Iroh must be this much better than the threshold to be taken again, so that the choice does not flap.
const RETURN: f64 = 0.8;

impl Way {
    /// A call was answered, after so long where that says how far the member is.
    pub(super) fn answered(&mut self, now: Instant, took: Option<Duration>) {
        if let Some(took) = took {
            let weighed = |before: Duration| before.mul_f64(1.0 - WEIGHT) + took.mul_f64(WEIGHT);
            self.latency = Some(self.latency.map_or(took, weighed));
        }
        self.last_contact = Some(now);
        self.failure = None;
    }

    /// A call got no answer.
    pub(super) fn failed(&mut self, now: Instant, reason: String) {
        self.last_failure = Some((now, reason.clone()));
        self.failure = Some((now, reason));
    }

    fn is_fast(&self, threshold: Duration) -> bool {
        self.latency.is_none_or(|latency| latency <= threshold)
    }

    /// Whether it is time to see how a way is that is not taken.
    fn is_rested(&mut self, now: Instant) -> bool {
        let failed = self.failure.as_ref().map(|(at, _)| *at);
        let rested = [failed, self.probed].into_iter().flatten().all(|at| now.duration_since(at) >= REST);
        if rested {
            self.probed = Some(now);
        }
        rested
    }
}

/// The rule, and what it chose last.
#[derive(Clone, Copy, Debug)]
pub(super) struct Route {
    rule: RaftTransport,
    on_iroh: bool,
}

/// The transports between which the rule chooses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Transport {
    Grpc,
    Iroh,
}

impl Transport {
    pub(super) const ALL: [Self; 2] = [Self::Grpc, Self::Iroh];

    /// Its name.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Grpc => "grpc",
            Self::Iroh => "iroh",
        }
    }
}

impl Route {
    pub(super) fn new(rule: RaftTransport) -> Self {
        Self { rule, on_iroh: true }
    }

    /// What the next message takes.
    pub(super) fn choose(&mut self, now: Instant, iroh: &mut Way, grpc: &Way) -> Transport {
        let threshold = match self.rule {
            RaftTransport::AlwaysGrpc => return Transport::Grpc,
            RaftTransport::AlwaysIroh => return Transport::Iroh,
            RaftTransport::Adaptive { latency_threshold_ms: ms } => Duration::from_secs_f64(ms / 1e3),
        };
        let bound = if self.on_iroh { threshold } else { threshold.mul_f64(RETURN) };
        self.on_iroh = iroh.failure.is_none() && iroh.is_fast(bound);
        let both_fail = iroh.failure.is_some() && grpc.failure.is_some();
        match self.on_iroh || ((both_fail || grpc.failure.is_none()) && iroh.is_rested(now)) {
            true => Transport::Iroh,
            false => Transport::Grpc,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const THRESHOLD: RaftTransport = RaftTransport::Adaptive { latency_threshold_ms: 10.0 };

    fn way(milliseconds: u64) -> Way {
        Way { latency: Some(Duration::from_millis(milliseconds)), ..Way::default() }
    }

    #[test]
    fn a_fixed_rule_looks_at_nothing() {
        let now = Instant::now();
        let mut failing = Way { failure: Some((now, "gone".to_owned())), ..Way::default() };
        let mut iroh = Route::new(RaftTransport::AlwaysIroh);
        assert_eq!(iroh.choose(now, &mut failing, &way(1)), Transport::Iroh);
        let mut grpc = Route::new(RaftTransport::AlwaysGrpc);
        assert_eq!(grpc.choose(now, &mut way(1), &failing), Transport::Grpc);
    }

    #[test]
    fn iroh_is_taken_while_it_is_fast_and_again_once_it_is_clearly_so() {
        let (now, mut route) = (Instant::now(), Route::new(THRESHOLD));
        assert_eq!(route.choose(now, &mut Way::default(), &Way::default()), Transport::Iroh);
        let mut slow = way(11);
        slow.probed = Some(now);
        assert_eq!(route.choose(now, &mut slow, &way(1)), Transport::Grpc);
        let mut hardly = way(9);
        hardly.probed = Some(now);
        assert_eq!(route.choose(now, &mut hardly, &way(1)), Transport::Grpc);
        assert_eq!(route.choose(now, &mut way(7), &way(1)), Transport::Iroh);
        assert_eq!(route.choose(now, &mut way(9), &way(1)), Transport::Iroh);
    }

    #[test]
    fn a_way_that_is_set_aside_is_tried_again_now_and_then() {
        let (start, mut route) = (Instant::now(), Route::new(THRESHOLD));
        let mut iroh = Way { failure: Some((start, "gone".to_owned())), ..way(1) };
        assert_eq!(route.choose(start, &mut iroh, &way(1)), Transport::Grpc);
        let later = start + REST;
        assert_eq!(route.choose(later, &mut iroh, &way(1)), Transport::Iroh);
        assert_eq!(route.choose(later, &mut iroh, &way(1)), Transport::Grpc);
        iroh.answered(later, Some(Duration::from_millis(1)));
        assert_eq!(route.choose(later, &mut iroh, &way(1)), Transport::Iroh);
    }
}
