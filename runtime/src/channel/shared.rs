use std::{sync::Arc, time::Duration};

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
    pub(super) budget: Budget,
    pub(super) tally: Tally,
    pub(super) keeper: Keeper,
}

/// How long a call waits for a transport that works, where none does.
const PATIENCE: Duration = Duration::from_secs(3);

impl Shared {
    pub(super) fn new(routes: Vec<Route>, policies: PolicyHandle, tally: Tally) -> Self {
        let transports = routes.iter().map(|route| route.transport).collect();
        Self {
            routes: routes.into_iter().map(Arc::new).collect(),
            methods: Methods::new(policies, transports),
            budget: Budget::new(),
            tally,
            keeper: Keeper::default(),
        }
    }

    /// The order in which a call takes the routes.
    pub(super) fn order(&self, method: &MethodScores, ruling: &Ruling) -> Order {
        // Of what nobody has tried nothing can be measured.
        if ruling.policy.adaptive != Adaptive::Off && self.routes.iter().any(|route| route.want()) {
            self.keeper.wake();
        }
        plan::order(&self.routes, method, ruling)
    }

    /// The route that a call takes: the first in its order that works. Waits where none does and one may soon.
    ///
    /// # Errors
    /// `Unavailable`, and not processed, where none does; `DeadlineExceeded` where the call cannot wait for long enough.
    pub(super) async fn open(self: &Arc<Self>, order: &Order, cx: &Context) -> Result<usize, Status> {
        let first = order.first();
        self.keeper.start(&self.routes);
        if self.routes.len() == 1 {
            // Nothing else can be taken, and nobody finds out sooner than the call how it is.
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
        loop {
            let mut news = std::pin::pin!(waiting.news());
            news.as_mut().enable();
            match order.best(&self.routes, |_| true) {
                Some((place, Standing::Up | Standing::Suspected)) => return Ok(place),
                Some((_, Standing::Down)) if !self.is_probe_due(order, until) => {
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
