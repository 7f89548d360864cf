use std::{collections::HashMap, sync::Arc, time::Duration};

use tokio::time::Instant;

use super::{
    keeper::Keeper,
    order::Order,
    plan,
    route::{Route, Standing},
    scores::{MethodScores, Methods, Ruling},
    tally::Tally,
};
use crate::{
    Code, Context, Status, deadline,
    policy::{Adaptive, PolicyHandle, budget::Budget, circuit::State},
};

/// What the calls of a channel share: its routes, and what is known of them.
pub(super) struct Shared {
    pub(super) routes: Arc<[Arc<Route>]>,
    pub(super) methods: Methods,
    pub(super) budget: Arc<Budget>,
    pub(super) tally: Tally,
    pub(super) keeper: Keeper,
    /// Whether there are other peers, to which a call may go instead: then it neither waits for this one nor insists.
    pub(super) among_others: bool,
}

/// How long a call waits for a transport that works, where none does.
const PATIENCE: Duration = Duration::from_secs(3);

impl Shared {
    pub(super) fn new(routes: Vec<Route>, policies: PolicyHandle, tally: Tally) -> Self {
        let routes = routes.into_iter().map(Arc::new).collect();
        Self::of(routes, policies, tally, Arc::new(Budget::new()), HashMap::new(), false)
    }

    /// Over routes and with a budget that others may have too; `serving` says which of them each service may take, a bit
    /// for each place, and services that it does not name take any.
    pub(super) fn of(
        routes: Vec<Arc<Route>>,
        policies: PolicyHandle,
        tally: Tally,
        budget: Arc<Budget>,
        serving: HashMap<String, u8>,
        among_others: bool,
    ) -> Self {
        let transports = routes.iter().map(|route| route.transport).collect();
        Self {
            routes: routes.into(),
            methods: Methods::new(policies, transports, serving, tally.clone()),
            budget,
            tally,
            keeper: Keeper::default(),
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
    pub(super) fn standing(&self) -> Standing {
        self.routes.iter().map(|route| route.standing()).min().unwrap_or(Standing::Down)
    }

    /// Completes once no transport to the peer works. Untried ones are tried when the others have failed.
    pub(super) async fn lost(&self) {
        loop {
            let mut news = std::pin::pin!(self.keeper.news());
            news.as_mut().enable();
            match self.standing() {
                Standing::Down => return,
                Standing::Untried if self.routes.iter().any(|route| route.standing() == Standing::Down) => {
                    self.routes.iter().for_each(|route| _ = route.want());
                    self.keeper.wake();
                }
                _ => {}
            }
            news.await;
        }
    }

    /// The order in which the next call takes the routes.
    pub(super) fn order(&self, method: &MethodScores, ruling: &Ruling) -> Order {
        // An untried subchannel has no measurements yet.
        if ruling.policy.adaptive != Adaptive::Off && self.routes.iter().any(|route| route.want()) {
            self.keeper.wake();
        }
        let order = plan::order(&self.routes, method, ruling);
        method.tally().chosen(order.first());
        order
    }

    /// The route that a call takes: the first in its order that works. Waits where none does and one may soon.
    ///
    /// # Errors
    /// `Unavailable`, and not processed, where none does; `DeadlineExceeded` where the call cannot wait for long enough.
    pub(super) async fn open(self: &Arc<Self>, order: &Order, cx: &Context) -> Result<usize, Status> {
        let first = order.first();
        if self.routes.is_empty() {
            return Err(self.unreachable(order));
        }
        self.keeper.start(&self.routes);
        if self.routes.len() == 1 && !self.among_others {
            // There is no alternative, and the call itself is the fastest probe.
            return Ok(first);
        }
        match order.best(&self.routes, |_| true) {
            Some((place, Standing::Up)) => {
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

    /// A call takes another route than the one that it prefers, for that does not work, or has not been tried.
    fn passed_over(&self, path: &str, preferred: usize, taken: usize) {
        let (from, to) = (&self.routes[preferred], &self.routes[taken]);
        let reason = match from.standing() {
            Standing::Untried => "untried",
            _ => "set_aside",
        };
        // One that is only suspected failed another time.
        let error =
            || from.last_error().filter(|_| from.standing() == Standing::Down).map(|(_, error)| error);
        self.tally.fallback(path, (from, to), reason, error);
        if from.want() {
            self.keeper.wake();
        }
    }

    async fn wait(self: &Arc<Self>, order: &Order, deadline: Option<Instant>) -> Result<usize, Status> {
        let waiting = self.keeper.wait(order.first());
        let patience = Instant::now() + PATIENCE;
        let until = deadline.map_or(patience, |deadline| deadline.min(patience));
        if self.routes.iter().any(|route| route.standing() == Standing::Up) {
            // There is no race while another transport works, so request probes.
            order.iter().for_each(|place| _ = self.routes[place].want());
            self.keeper.wake();
        }
        loop {
            let mut news = std::pin::pin!(waiting.news());
            news.as_mut().enable();
            match order.best(&self.routes, |_| true) {
                Some((place, Standing::Up | Standing::Suspected)) => return Ok(place),
                Some((_, Standing::Down)) if self.among_others || !self.is_probe_due(order, until) => {
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

    /// Whether one of these routes is asked by then how it is.
    fn is_probe_due(&self, order: &Order, until: Instant) -> bool {
        order.iter().any(|place| match self.routes[place].state() {
            State::Open { until: probe } => probe < until,
            _ => true,
        })
    }

    fn unreachable(&self, order: &Order) -> Status {
        let reasons: Vec<_> = order
            .iter()
            .map(|place| {
                let route = &self.routes[place];
                let reason =
                    route.last_error().map_or_else(|| "no answer yet".to_owned(), |(_, reason)| reason);
                format!("{}: {reason}", route.transport)
            })
            .collect();
        Status::unavailable(format!("no transport reaches the peer: {}", reasons.join("; "))).not_processed()
    }
}

/// Whether this status may be the way's doing, and not the service's.
pub(super) fn is_of_the_way(status: &Status) -> bool {
    matches!(status.code(), Code::Unavailable | Code::DeadlineExceeded | Code::Cancelled)
}
