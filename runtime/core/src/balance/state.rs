use std::{collections::HashMap, sync::Arc, time::Duration};

use tokio::time::Instant;

use super::{
    observer::ChannelObserver,
    picker,
    picker::Order,
    prober::Prober,
    stats::{MethodStats, Methods, Ruling},
    subchannel::{Connectivity, Subchannel},
};
use crate::{
    Code, Context, Status, deadline,
    policy::{Adaptive, PolicyHandle, budget::Budget, circuit::BreakerState},
};

/// What the calls of a channel share: its subchannels, and what is known of them.
pub(super) struct ChannelState {
    pub(super) subchannels: Arc<[Arc<Subchannel>]>,
    pub(super) methods: Methods,
    pub(super) budget: Arc<Budget>,
    pub(super) observer: ChannelObserver,
    pub(super) prober: Prober,
    /// Whether there are other peers, to which a call may go instead: then it neither waits for this one nor insists.
    pub(super) among_others: bool,
}

/// How long a call waits for a transport that works, where none does.
const PATIENCE: Duration = Duration::from_secs(3);

impl ChannelState {
    pub(super) fn new(
        subchannels: Vec<Subchannel>,
        policies: PolicyHandle,
        observer: ChannelObserver,
    ) -> Self {
        let subchannels = subchannels.into_iter().map(Arc::new).collect();
        Self::of(subchannels, policies, observer, Arc::new(Budget::new()), HashMap::new(), false)
    }

    /// Over subchannels and with a budget that others may have too; `serving` says which of them each service may take, a bit
    /// for each place, and services that it does not name take any.
    pub(super) fn of(
        subchannels: Vec<Arc<Subchannel>>,
        policies: PolicyHandle,
        observer: ChannelObserver,
        budget: Arc<Budget>,
        serving: HashMap<String, u8>,
        among_others: bool,
    ) -> Self {
        let transports = subchannels.iter().map(|subchannel| subchannel.transport).collect();
        Self {
            subchannels: subchannels.into(),
            methods: Methods::new(policies, transports, serving, observer.clone()),
            budget,
            observer,
            prober: Prober::default(),
            among_others,
        }
    }

    /// Records a call in the retry budget. A channel over several peers records its calls itself.
    pub(super) fn deposit(&self) {
        if !self.among_others {
            self.budget.deposit();
        }
    }

    /// How well the peer is reached.
    pub(super) fn connectivity(&self) -> Connectivity {
        self.subchannels
            .iter()
            .map(|subchannel| subchannel.connectivity())
            .min()
            .unwrap_or(Connectivity::TransientFailure)
    }

    /// Completes once no transport to the peer works. Untried ones are tried when the others have failed.
    pub(super) async fn lost(&self) {
        loop {
            let mut news = std::pin::pin!(self.prober.news());
            news.as_mut().enable();
            match self.connectivity() {
                Connectivity::TransientFailure => return,
                Connectivity::Idle
                    if self
                        .subchannels
                        .iter()
                        .any(|subchannel| subchannel.connectivity() == Connectivity::TransientFailure) =>
                {
                    self.subchannels.iter().for_each(|subchannel| _ = subchannel.want());
                    self.prober.wake();
                }
                _ => {}
            }
            news.await;
        }
    }

    /// The order in which the next call takes the subchannels.
    pub(super) fn order(&self, method: &MethodStats, ruling: &Ruling) -> Order {
        // An untried subchannel has no measurements yet.
        if ruling.policy.adaptive != Adaptive::Off
            && self.subchannels.iter().any(|subchannel| subchannel.want())
        {
            self.prober.wake();
        }
        let order = picker::pick(&self.subchannels, method, ruling);
        method.observer().chosen(order.first());
        order
    }

    /// The subchannel that a call takes: the first in its order that works. Waits where none does and one may soon.
    ///
    /// # Errors
    /// `Unavailable`, and not processed, where none does; `DeadlineExceeded` where the call cannot wait for long enough.
    pub(super) async fn open(self: &Arc<Self>, order: &Order, cx: &Context) -> Result<usize, Status> {
        let first = order.first();
        if self.subchannels.is_empty() {
            return Err(self.unreachable(order));
        }
        self.prober.start(&self.subchannels);
        if self.subchannels.len() == 1 && !self.among_others {
            // There is no alternative, and the call itself is the fastest probe.
            return Ok(first);
        }
        match order.best(&self.subchannels, |_| true) {
            Some((place, Connectivity::Ready)) => {
                if place != first {
                    self.passed_over(cx.path(), first, place);
                }
                Ok(place)
            }
            _ => {
                let place = Box::pin(self.wait(order, cx.deadline())).await?;
                if place != first {
                    self.passed_over(cx.path(), first, place);
                }
                Ok(place)
            }
        }
    }

    /// A call takes another subchannel than the one that it prefers, for that does not work, or has not been tried.
    fn passed_over(&self, path: &str, preferred: usize, taken: usize) {
        let (from, to) = (&self.subchannels[preferred], &self.subchannels[taken]);
        let reason = match from.connectivity() {
            Connectivity::Idle => "untried",
            _ => "set_aside",
        };
        // One that is only suspected failed another time.
        let error = || {
            from.last_error()
                .filter(|_| from.connectivity() == Connectivity::TransientFailure)
                .map(|(_, error)| error)
        };
        self.observer.fallback(path, (from, to), reason, error);
        if from.want() {
            self.prober.wake();
        }
    }

    async fn wait(self: &Arc<Self>, order: &Order, deadline: Option<Instant>) -> Result<usize, Status> {
        let waiting = self.prober.wait(order.first());
        let patience = Instant::now() + PATIENCE;
        let until = deadline.map_or(patience, |deadline| deadline.min(patience));
        if self.subchannels.iter().any(|subchannel| subchannel.connectivity() == Connectivity::Ready) {
            // There is no race while another transport works, so request probes.
            order.iter().for_each(|place| _ = self.subchannels[place].want());
            self.prober.wake();
        }
        loop {
            let mut news = std::pin::pin!(waiting.news());
            news.as_mut().enable();
            match order.best(&self.subchannels, |_| true) {
                Some((place, Connectivity::Ready | Connectivity::Connecting)) => return Ok(place),
                Some((_, Connectivity::TransientFailure))
                    if self.among_others || !self.is_probe_due(order, until) =>
                {
                    return Err(self.unreachable(order));
                }
                Some(_) | None => {}
            }
            if tokio::time::timeout_at(until, news).await.is_err() {
                return Err(match deadline {
                    Some(deadline) if deadline <= Instant::now() => deadline::exceeded().not_processed(),
                    _ => self.unreachable(order),
                });
            }
        }
    }

    /// Whether one of these subchannels is asked by then how it is.
    fn is_probe_due(&self, order: &Order, until: Instant) -> bool {
        order.iter().any(|place| match self.subchannels[place].state() {
            BreakerState::Open { until: probe } => probe < until,
            _ => true,
        })
    }

    fn unreachable(&self, order: &Order) -> Status {
        let reasons: Vec<_> = order
            .iter()
            .map(|place| {
                let subchannel = &self.subchannels[place];
                let reason =
                    subchannel.last_error().map_or_else(|| "no answer yet".to_owned(), |(_, reason)| reason);
                format!("{}: {reason}", subchannel.transport)
            })
            .collect();
        Status::unavailable(format!("no transport reaches the peer: {}", reasons.join("; "))).not_processed()
    }
}

/// Whether this status may be the way's doing, and not the service's.
pub(super) fn is_of_the_way(status: &Status) -> bool {
    matches!(status.code(), Code::Unavailable | Code::DeadlineExceeded | Code::Cancelled)
}
