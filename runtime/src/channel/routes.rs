use std::{sync::Arc, time::Duration};

use tokio::time::Instant;

use super::{
    Explanation,
    answers::Answers,
    attempts::{Attempts, Watched},
    explain,
    keeper::Keeper,
    lent::LentStream,
    plan::{self, Order},
    route::{Route, Standing},
    scores::{MethodScores, Methods, Ruling},
    tally::Tally,
};
use crate::{
    Code, Context, Payload, Response, Service, Status, Streaming, deadline,
    policy::{Adaptive, PolicyHandle, budget::Budget, circuit::State},
};

/// Several transports to one peer: a [`Service`] whose calls each take the one that their policy chooses, and another
/// where that is safe.
pub(super) struct Routes(Arc<Shared>);

/// What calls, answers and the keeper share.
pub(super) struct Shared {
    pub(super) routes: Vec<Arc<Route>>,
    pub(super) methods: Methods,
    pub(super) budget: Budget,
    pub(super) tally: Tally,
    pub(super) keeper: Keeper,
}

/// How long a call waits for a transport that works, where none does.
const PATIENCE: Duration = Duration::from_secs(3);

impl Routes {
    pub(super) fn new(routes: Vec<Route>, policies: PolicyHandle, tally: Tally) -> Self {
        let transports = routes.iter().map(|route| route.transport).collect();
        Self(Arc::new(Shared {
            routes: routes.into_iter().map(Arc::new).collect(),
            methods: Methods::new(policies, transports),
            budget: Budget::new(),
            tally,
            keeper: Keeper::default(),
        }))
    }
}

impl Service for Routes {
    async fn unary(&self, cx: Context, message: Payload) -> Result<Response<Payload>, Status> {
        let Self(shared) = self;
        let method = shared.methods.at(cx.path());
        let ruling = shared.methods.ruling(cx.path(), &method);
        shared.budget.deposit();
        let order = shared.order(&method, &ruling);
        let place = shared.open(&order, &cx).await?;
        let (message, kept) = message.keep();
        let mut attempts = Attempts::new(shared, &method, &ruling, order, cx.again());
        let mut cx = cx;
        let shadow = shared.shadow(&method, &ruling, place, &mut cx, &kept);
        let mut flight = attempts.fly(place, cx, message);
        let outcome = match attempts.watch(&mut flight).await {
            Watched::Landed(Ok(response)) => Ok(response),
            Watched::Landed(Err(status)) => {
                drop(flight);
                Box::pin(attempts.after_failure(place, status, &kept)).await
            }
            Watched::Late(reason) => Box::pin(attempts.beside(flight, reason, &kept)).await,
        };
        if let Some(shadow) = shadow {
            shadow.compare(&outcome);
        }
        outcome
    }

    async fn stream(
        &self,
        cx: Context,
        messages: Streaming<Payload>,
    ) -> Result<Response<Streaming<Payload>>, Status> {
        let Self(shared) = self;
        let method = shared.methods.at(cx.path());
        let ruling = shared.methods.ruling(cx.path(), &method);
        shared.budget.deposit();
        let order = shared.order(&method, &ruling);
        let mut place = shared.open(&order, &cx).await?;
        let (mut messages, lent) = LentStream::keep(messages);
        let mut attempts = Attempts::new(shared, &method, &ruling, order, cx.again());
        let mut cx = cx;
        loop {
            let opening = shared.routes[place].channel();
            let mut flight = attempts.begin(place);
            let outcome = opening.stream(cx, messages).await;
            flight.note(outcome.as_ref().err());
            let status = match outcome {
                Ok(response) => return Ok(response.map(|answers| Answers::over(shared, place, answers))),
                Err(status) => status,
            };
            drop(flight);
            let next = attempts.next(place, &status).await;
            let Some((next, again)) = next.and_then(|next| Some((next, lent.again()?))) else {
                return Err(attempts.last_word(status));
            };
            (place, messages) = (next, again);
            cx = attempts.context();
        }
    }

    fn explain(&self) -> Option<Explanation> {
        Some(explain::explain(&self.0))
    }
}

impl Shared {
    /// The order in which a call takes the routes.
    fn order(&self, method: &MethodScores, ruling: &Ruling) -> Order {
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
        if self.routes.len() == 1 {
            return Ok(first);
        }
        self.keeper.start(self);
        match order.best(&self.routes, |_| true) {
            Some((place, Standing::Up)) => {
                if place != first {
                    self.passed_over(first, place);
                }
                Ok(place)
            }
            _ => Box::pin(self.wait(order, cx.deadline())).await,
        }
    }

    /// A call takes another route than the one that it prefers, for that does not work, or has not been tried.
    fn passed_over(&self, preferred: usize, taken: usize) {
        let routes = &self.routes;
        let reason = match routes[preferred].standing() {
            Standing::Untried => "untried",
            _ => "set_aside",
        };
        self.tally.fallback(routes[preferred].transport, routes[taken].transport, reason);
        if routes[preferred].want() {
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
