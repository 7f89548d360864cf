use std::{future::poll_fn, pin::pin, sync::Arc, task::Poll, time::Duration};

use tokio::time::Instant;

use super::{
    picker::Order,
    retry::{Failed, repeatable},
    state::{ChannelState, is_of_the_way},
    stats::{MethodStats, Ruling},
    subchannel::{Connectivity, Subchannel},
};
use crate::{
    Code, Context, Payload, Response, Status, deadline,
    metadata::PREVIOUS_ATTEMPTS,
    payload::ReplayPayload,
    policy::{Adaptive, Hedge, verdict::Verdict},
    server_timing,
};
use futures_util::future::BoxFuture;

/// The attempts at one call: which were made, and whether and where another may be.
pub(super) struct Attempts<'a> {
    shared: &'a Arc<ChannelState>,
    method: &'a Arc<MethodStats>,
    ruling: &'a Ruling,
    order: Order,
    template: Context,
    made: u32,
    /// A bit for each subchannel that was tried.
    tried: u8,
}

/// A unary attempt under way. Dropped, it is cancelled.
pub(super) struct Flight {
    begun: Begun,
    /// Whether it has asked how long the handler takes.
    asks: bool,
    answer: BoxFuture<'static, Outcome>,
}

type Outcome = Result<Response<Payload>, Status>;

/// An attempt that has begun, until it is answered.
pub(super) struct Begun {
    place: usize,
    subchannel: Arc<Subchannel>,
    method: Arc<MethodStats>,
    at: Instant,
    deadline: Option<Instant>,
    noted: bool,
    measured: bool,
    shared: Arc<ChannelState>,
    uncounted: Option<Uncounted>,
}

/// An attempt that is to be counted when it ends. Dropped before, it is counted as given up.
pub(super) struct Uncounted {
    method: Arc<MethodStats>,
    subchannel: Arc<Subchannel>,
    place: usize,
    number: u32,
    deadline: Option<Instant>,
    code: Option<Code>,
    /// How long a stream took to open, by whose end its transport is judged.
    opened: Option<Duration>,
}

/// What became of an attempt that was watched.
pub(super) enum Watched {
    /// It ended.
    Landed(Outcome),
    /// It has not ended, and another is to be made beside it, for this reason.
    Late(&'static str),
}

impl<'a> Attempts<'a> {
    pub(super) fn new(
        shared: &'a Arc<ChannelState>,
        method: &'a Arc<MethodStats>,
        ruling: &'a Ruling,
        order: Order,
        template: Context,
    ) -> Self {
        Self { shared, method, ruling, order, template, made: 0, tried: 0 }
    }

    /// Begins an attempt over this subchannel.
    pub(super) fn fly(&mut self, place: usize, mut cx: Context, message: Payload) -> Flight {
        let begun = self.begin(place);
        let asks = self.ruling.policy.adaptive != Adaptive::Off
            && !server_timing::is_asked(&cx.metadata)
            && self.method.handler.asks(begun.at);
        if asks {
            server_timing::ask(&mut cx.metadata);
        }
        Flight { answer: begun.subchannel.channel().call(cx, message), begun, asks }
    }

    /// An attempt over this subchannel begins.
    pub(super) fn begin(&mut self, place: usize) -> Begun {
        self.made += 1;
        self.tried |= 1 << place;
        let subchannel = self.shared.subchannels[place].clone();
        let at = Instant::now();
        subchannel.liveness.begin(at);
        self.shared.prober.call_made();
        let (method, shared) = (self.method.clone(), self.shared.clone());
        let (number, deadline) = (self.number(), self.template.deadline);
        let uncounted = Some(Uncounted {
            method: method.clone(),
            subchannel: subchannel.clone(),
            place,
            number,
            deadline,
            code: None,
            opened: None,
        });
        let measured = self.ruling.policy.measured;
        Begun { place, subchannel, method, at, deadline, noted: false, measured, shared, uncounted }
    }

    /// The context of a further attempt.
    pub(super) fn context(&self) -> Context {
        let mut cx = self.template.again();
        // The key and the number are well-formed.
        let _ = cx.metadata.insert(PREVIOUS_ATTEMPTS, self.number().to_string());
        cx
    }

    /// The number of attempts, including those at other peers.
    fn number(&self) -> u32 {
        let earlier = self.template.metadata.get(PREVIOUS_ATTEMPTS).and_then(|made| made.parse::<u32>().ok());
        self.made.saturating_add(earlier.unwrap_or_default())
    }

    /// Waits for the answer, or until the call should be made over another subchannel as well.
    pub(super) async fn watch(&self, flight: &mut Flight) -> Watched {
        if !self.template.idempotent || self.elsewhere().is_none() {
            return Watched::Landed(flight.land().await);
        }
        let subchannel = flight.begun.subchannel.clone();
        let lost = pin!(subchannel.lost.notified());
        let hedge = pin!(self.hedge());
        tokio::select! {
            biased;
            outcome = flight.land() => Watched::Landed(outcome),
            () = lost => Watched::Late("silent"),
            () = hedge => Watched::Late("hedge"),
        }
    }

    /// Completes when the call should be hedged.
    async fn hedge(&self) {
        let after = match self.ruling.policy.hedge {
            None => None,
            Some(Hedge::After(wait)) => Some(wait),
            Some(Hedge::Percentile(percent)) => self.method.durations.percentile(percent),
        };
        match after {
            Some(wait) => tokio::time::sleep(wait).await,
            None => std::future::pending().await,
        }
    }

    /// Goes on after an attempt that failed.
    pub(super) async fn after_failure(
        mut self,
        place: usize,
        status: Status,
        kept: &ReplayPayload,
    ) -> Outcome {
        let (mut place, mut status) = (place, status);
        loop {
            let next = self.next(place, &status).await;
            let Some((next, message)) = next.and_then(|next| Some((next, kept.again()?))) else {
                return Err(self.last_word(status));
            };
            place = next;
            let cx = self.context();
            status = match self.fly(place, cx, message).land().await {
                Ok(response) => return Ok(response),
                Err(status) => status,
            };
        }
    }

    /// Makes another attempt beside one that is under way, and takes the first answer. The other is cancelled.
    pub(super) async fn beside(
        mut self,
        first: Flight,
        reason: &'static str,
        kept: &ReplayPayload,
    ) -> Outcome {
        let from = first.begun.subchannel.clone();
        let other = self.elsewhere().filter(|_| self.shared.budget.withdraw());
        let Some((other, message)) = other.and_then(|other| Some((other, kept.again()?))) else {
            return self.alone(first, kept).await;
        };
        let path = self.template.path();
        self.shared.observer.fallback(path, (&from, &self.shared.subchannels[other]), reason, || None);
        let cx = self.context();
        let second = self.fly(other, cx, message);
        let (outcome, left) = sooner(first, second).await;
        match outcome {
            // The other may still do it.
            Err(status) if repeatable(&self.template, &status) => self.alone(left, kept).await,
            outcome => outcome,
        }
    }

    async fn alone(self, mut flight: Flight, kept: &ReplayPayload) -> Outcome {
        let place = flight.begun.place;
        match flight.land().await {
            Err(status) => {
                drop(flight);
                Box::pin(self.after_failure(place, status, kept)).await
            }
            outcome => outcome,
        }
    }

    /// The subchannel for the attempt after one that failed so, once it may be made; `None` where none may.
    pub(super) async fn next(&mut self, failed: usize, status: &Status) -> Option<usize> {
        let elsewhere = self.elsewhere();
        if elsewhere.is_none() && self.shared.among_others {
            return None;
        }
        let call = Failed { cx: &self.template, status, made: self.made, elsewhere: elsewhere.is_some() };
        if !call.again(&self.ruling.policy, &self.shared.budget).await {
            return None;
        }
        let next = match elsewhere {
            Some(next) => next,
            None => self.shared.open(&self.order, &self.template).await.ok()?,
        };
        let (from, to) = (&self.shared.subchannels[failed], &self.shared.subchannels[next]);
        self.shared.observer.again(self.template.path(), (from, to), status);
        Some(next)
    }

    /// What the caller is told in the end.
    pub(super) fn last_word(&self, status: Status) -> Status {
        status.maybe_executed(self.template.idempotent)
    }

    /// Another subchannel than those that were tried, which works or may.
    fn elsewhere(&self) -> Option<usize> {
        let untried = |place: usize| self.tried & (1 << place) == 0;
        let best = self.order.best(&self.shared.subchannels, untried);
        best.filter(|(_, connectivity)| *connectivity <= Connectivity::Idle).map(|(place, _)| place)
    }
}

/// The first of two attempts to end, and the other.
async fn sooner(mut one: Flight, mut other: Flight) -> (Outcome, Flight) {
    let (outcome, first) = poll_fn(|task| {
        if let Poll::Ready(outcome) = one.answer.as_mut().poll(task) {
            return Poll::Ready((outcome, true));
        }
        other.answer.as_mut().poll(task).map(|outcome| (outcome, false))
    })
    .await;
    let (mut landed, left) = if first { (one, other) } else { (other, one) };
    (landed.landed(outcome), left)
}

impl Flight {
    /// Its answer.
    pub(super) async fn land(&mut self) -> Outcome {
        let outcome = self.answer.as_mut().await;
        self.landed(outcome)
    }

    fn landed(&mut self, mut outcome: Outcome) -> Outcome {
        if self.asks
            && let Ok(Response { trailers, .. }) = &mut outcome
            && let Some(took) = server_timing::told(trailers)
        {
            self.begun.method.handler.told(took);
            server_timing::strip(trailers);
        }
        self.begun.note(outcome.as_ref().err());
        outcome
    }
}

impl Begun {
    /// The answers of a stream have begun. What it gives is to be told how they end: a stream that opens and breaks off at
    /// once is a failure, and no fast answer.
    pub(super) fn opened(&mut self) -> Option<Uncounted> {
        self.noted = true;
        let now = Instant::now();
        self.subchannel.answered(now);
        self.method.durations.note(now.duration_since(self.at));
        let opened = self.measured.then(|| self.took(now));
        let mut uncounted = self.uncounted.take();
        if let Some(uncounted) = &mut uncounted {
            uncounted.opened = opened;
        }
        uncounted
    }

    /// It was answered, or failed so.
    pub(super) fn note(&mut self, failure: Option<&Status>) {
        self.noted = true;
        let code = failure.map_or(Code::Ok, Status::code);
        if let Some(uncounted) = self.uncounted.take() {
            uncounted.ended(code);
        }
        let now = Instant::now();
        let of_the_way = failure.is_some_and(is_of_the_way);
        if !of_the_way && !failure.is_some_and(Status::is_not_processed) {
            self.subchannel.answered(now);
        }
        if failure.is_none() {
            self.method.durations.note(now.duration_since(self.at));
        }
        self.measure(now, Verdict::of(code));
        match failure {
            Some(status) if self.subchannel.struck(now, status) => self.shared.prober.wake(),
            Some(status) if of_the_way => self.subchannel.missed(now, status),
            Some(_) | None => {}
        }
    }

    fn measure(&self, now: Instant, verdict: Verdict) {
        if self.measured {
            let took = self.took(now);
            self.method.service.note(self.place, now, took, verdict);
            self.subchannel.note(now, took, verdict);
        }
    }

    /// How long it took, without what is the handler's.
    fn took(&self, now: Instant) -> Duration {
        now.duration_since(self.at).saturating_sub(self.method.handler.taken_off())
    }
}

impl Drop for Begun {
    fn drop(&mut self) {
        self.subchannel.liveness.end();
        if self.noted {
            return;
        }
        let now = Instant::now();
        if self.deadline.is_some_and(|deadline| deadline <= now) {
            self.measure(now, Verdict::Fails);
            self.subchannel.missed(now, &deadline::exceeded());
        }
    }
}

impl Uncounted {
    /// It ended so.
    pub(super) fn ended(mut self, code: Code) {
        self.code = Some(code);
        if let Some(took) = self.opened {
            let (now, verdict) = (Instant::now(), Verdict::of(code));
            self.method.service.note(self.place, now, took, verdict);
            self.subchannel.note(now, took, verdict);
        }
    }
}

impl Drop for Uncounted {
    fn drop(&mut self) {
        let given_up = || match self.deadline {
            Some(deadline) if deadline <= Instant::now() => Code::DeadlineExceeded,
            _ => Code::Cancelled,
        };
        self.method.observer().ended(self.place, self.number, self.code.unwrap_or_else(given_up));
    }
}
