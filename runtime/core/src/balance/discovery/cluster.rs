use std::{sync::Arc, time::Duration};

use arc_swap::ArcSwap;
use tokio::{sync::Notify, time::Instant};

use super::{
    super::{retry::Failed, subchannel::Subchannel},
    choice::{draw, is_cheaper},
    discovered::is_lost,
    explain::explain,
    member::{Flight, Member, NEVER},
    refresh::{Heard, learn},
    response_stream::ResponseStream,
    setup::Setup,
    ttl::Ttl,
};
use crate::{
    Channel, Code, Context, Payload, Response, Service, Status, Streaming, Truncated, deadline,
    metadata::PREVIOUS_ATTEMPTS, policy::score::Score, streaming::ReplayStream, sync::Mutex,
};

/// The members of a cluster, each a channel over several transports: a [`Service`] whose calls each take one that serves
/// them, and another where that is safe.
pub(super) struct Cluster(Arc<ClusterInner>);

pub(super) struct ClusterInner {
    pub(super) setup: Arc<Setup>,
    pub(super) seeds: Vec<Arc<Subchannel>>,
    pub(super) members: ArcSwap<Vec<Arc<Member>>>,
    pub(super) ttl: Ttl,
    /// Notified after each refresh.
    pub(super) news: Notify,
    heard: Mutex<Option<Heard>>,
    /// The failure of the last refresh.
    failure: Mutex<Option<Status>>,
}

/// How long a call waits to hear who is in the cluster, where nothing is known.
const PATIENCE: Duration = Duration::from_secs(4);

impl Cluster {
    /// The channel to the members, which explains its choices.
    pub(super) fn into_channel(self) -> Channel {
        let inner = self.0.clone();
        let explains = move || explain(&inner.members.load(), inner.setup.budget.left());
        Channel::new(self).explained_by(Arc::new(explains))
    }

    /// The cluster of these seeds.
    pub(super) fn new(setup: Setup, seeds: Vec<Arc<Subchannel>>) -> Self {
        Self(Arc::new(ClusterInner {
            setup: Arc::new(setup),
            seeds,
            members: ArcSwap::default(),
            ttl: Ttl::new(Instant::now()),
            news: Notify::new(),
            heard: Mutex::default(),
            failure: Mutex::default(),
        }))
    }

    /// Refreshes the list of members if it is stale. A call waits for it only if there is no list.
    async fn refresh(&self, cx: &Context) -> Result<(), Status> {
        let Self(inner) = self;
        if inner.ttl.is_due(Instant::now()) {
            tokio::spawn(learn(inner.clone()));
        }
        if inner.members.load().is_empty() { Box::pin(inner.wait(cx)).await } else { Ok(()) }
    }
}

impl ClusterInner {
    /// What was heard last, and of which cluster.
    pub(super) fn heard(&self) -> Option<Heard> {
        self.heard.lock().clone()
    }

    /// These are the members from now on.
    pub(super) fn follow(&self, members: Vec<Arc<Member>>, heard: Heard) {
        *self.heard.lock() = Some(heard);
        self.members.store(Arc::new(members));
    }

    /// Records a failed refresh.
    pub(super) fn fail(&self, status: Status) {
        *self.failure.lock() = Some(status);
    }

    /// One of so many, each with the same chance.
    pub(super) fn turn(&self, of: usize) -> usize {
        fastrand::usize(..of.max(1))
    }

    async fn wait(self: &Arc<Self>, cx: &Context) -> Result<(), Status> {
        let patience = Instant::now() + PATIENCE;
        let until = cx.deadline().map_or(patience, |deadline| deadline.min(patience));
        let news = self.news.notified();
        let mut news = std::pin::pin!(news);
        news.as_mut().enable();
        if self.ttl.is_due_at_once(Instant::now()) {
            tokio::spawn(learn(self.clone()));
        }
        let asking = self.ttl.is_asked();
        if self.members.load().is_empty() && asking && tokio::time::timeout_at(until, news).await.is_err() {
            return Err(match cx.deadline() {
                Some(deadline) if deadline <= Instant::now() => deadline::exceeded().not_processed(),
                _ => self.unknown(),
            });
        }
        if self.members.load().is_empty() { Err(self.unknown()) } else { Ok(()) }
    }

    fn unknown(&self) -> Status {
        let failure = self.failure.lock().clone();
        let reason = failure.map_or_else(|| "no answer yet".to_owned(), |status| status.message().to_owned());
        Status::unavailable(format!("no seed of the cluster says who is in it: {reason}")).not_processed()
    }
}

/// By how much an outlier ranks behind those that work as well.
const OUTLIER: u8 = 32;

/// The attempts at one call.
struct Attempts<'a> {
    inner: &'a Arc<ClusterInner>,
    members: Arc<Vec<Arc<Member>>>,
    template: Context,
    made: u32,
    /// Those that have failed, by their place.
    tried: Vec<usize>,
    failures: Vec<String>,
}

impl<'a> Attempts<'a> {
    fn new(inner: &'a Arc<ClusterInner>, template: Context) -> Self {
        inner.setup.budget.deposit();
        let members = inner.members.load_full();
        Self { inner, members, template, made: 0, tried: Vec::new(), failures: Vec::new() }
    }

    /// The member that takes the call, or the next attempt at it; `None` where there is none that was not tried.
    fn draw(&self) -> Option<usize> {
        let service = self.template.service();
        let rank = |(place, member): (usize, &Arc<Member>)| match self.tried.contains(&place) {
            true => (place, NEVER),
            false => (place, member.rank(service)),
        };
        let ranked = self.members.iter().enumerate().map(rank);
        let random = |below| fastrand::usize(..below);
        let (one, other) = if self.members.iter().any(|member| member.is_flawed()) {
            match self.without_outliers(ranked.collect()) {
                Ok(place) => return Some(place),
                Err(ranked) => draw(ranked.into_iter(), random)?,
            }
        } else {
            draw(ranked, random)?
        };
        let Some(other) = other else { return Some(one) };
        let (first, second) = (self.members[one].load(service), self.members[other].load(service));
        Some(if is_cheaper(first, second, Instant::now()) { one } else { other })
    }

    /// Leaves those alone where calls fail far more than at the best of those that are reached; gives one of them that this
    /// call is to try.
    fn without_outliers(&self, mut ranked: Vec<(usize, u8)>) -> Result<usize, Vec<(usize, u8)>> {
        let service = self.template.service();
        let best = ranked.iter().map(|(_, rank)| *rank).min().unwrap_or(NEVER);
        let scores: Vec<_> = ranked.iter().map(|(place, _)| self.members[*place].score(service)).collect();
        let of_best = ranked.iter().zip(&scores).filter(|((_, rank), _)| *rank == best);
        let Some(least) = Score::least_errors(of_best.map(|(_, score)| score)) else { return Err(ranked) };
        let now = Instant::now();
        for ((place, rank), score) in ranked.iter_mut().zip(&scores) {
            if *rank < NEVER && score.is_outlier(least) {
                if *rank == best && self.made == 0 && self.members[*place].try_again(service, now) {
                    return Ok(*place);
                }
                *rank = rank.saturating_add(OUTLIER).min(NEVER - 1);
            }
        }
        Err(ranked)
    }

    fn first(&self) -> Result<usize, Status> {
        self.draw().ok_or_else(|| {
            self.hurry();
            let asked: Vec<_> = self.members.iter().map(|member| member.name()).collect();
            let (service, asked) = (self.template.service(), asked.join(", "));
            let service = Truncated(service);
            let message = format!("no member of the cluster serves {service}; its members are {asked}");
            Status::unimplemented(message).not_processed()
        })
    }

    fn begin(&mut self, place: usize) -> (Arc<Member>, Flight) {
        self.made += 1;
        let member = self.members[place].clone();
        let flight = member.begin();
        (member, flight)
    }

    /// What the directory said is not true any more: it is asked at once.
    fn hurry(&self) {
        if self.inner.ttl.is_due_at_once(Instant::now()) {
            tokio::spawn(learn(self.inner.clone()));
        }
    }

    /// The context of a further attempt.
    fn context(&self) -> Context {
        let mut cx = self.template.again();
        // The key and the number are well-formed.
        let _ = cx.metadata.insert(PREVIOUS_ATTEMPTS, self.made.to_string());
        cx
    }

    /// The member for the attempt after one that failed so, once it may be made; `None` where none may.
    async fn next(&mut self, failed: usize, status: &Status) -> Option<usize> {
        let reason = format!("{}: {}", self.members[failed].name(), status.message());
        self.failures.push(reason);
        self.tried.push(failed);
        if is_lost(status) {
            self.hurry();
        }
        let another = self.draw();
        let from = self.members[failed].transport();
        let policies = self.inner.setup.policies.get();
        let call = Failed { cx: &self.template, status, made: self.made, elsewhere: another.is_some() };
        if !call.again(policies.of(self.template.path()), &self.inner.setup.budget).await {
            return None;
        }
        let next = another.or_else(|| {
            // Start over with the current members.
            self.members = self.inner.members.load_full();
            self.tried.clear();
            self.draw()
        })?;
        self.inner.setup.common.observer.elsewhere(from, self.members[next].transport(), status);
        Some(next)
    }

    /// What the caller is told in the end.
    fn last_word(self, status: Status) -> Status {
        if self.failures.len() < 2 || status.code() != Code::Unavailable || !status.is_not_processed() {
            return status;
        }
        let (service, failures) = (self.template.service(), self.failures.join("; "));
        let message = format!("no member of the cluster that serves {service} is reached: {failures}");
        status.with_message(message)
    }
}

impl Service for Cluster {
    async fn unary(&self, cx: Context, message: Payload) -> Result<Response<Payload>, Status> {
        self.refresh(&cx).await?;
        let mut attempts = Attempts::new(&self.0, cx.again());
        let mut place = attempts.first()?;
        let (mut message, kept) = message.keep();
        let mut cx = cx;
        loop {
            let (member, flight) = attempts.begin(place);
            let outcome = one(&member, cx, message).await;
            flight.note(attempts.template.service(), flight.took(), outcome.as_ref().err());
            let status = match outcome {
                Ok(response) => return Ok(response),
                Err(status) => status,
            };
            drop(flight);
            let next = Box::pin(attempts.next(place, &status)).await;
            let Some((next, again)) = next.and_then(|next| Some((next, kept.again()?))) else {
                return Err(attempts.last_word(status));
            };
            (place, message, cx) = (next, again, attempts.context());
        }
    }

    async fn stream(
        &self,
        cx: Context,
        messages: Streaming<Payload>,
    ) -> Result<Response<Streaming<Payload>>, Status> {
        self.refresh(&cx).await?;
        let mut attempts = Attempts::new(&self.0, cx.again());
        let mut place = attempts.first()?;
        let (mut messages, lent) = ReplayStream::keep(messages);
        let mut cx = cx;
        loop {
            let (member, flight) = attempts.begin(place);
            let current = member.peer.now();
            let outcome = current.subchannels.stream(cx, messages).await;
            let status = match outcome {
                // It counts for as long as it goes on.
                Ok(response) => {
                    let service = attempts.template.service();
                    return Ok(response.map(|answers| ResponseStream::of(flight, service, answers)));
                }
                Err(status) => status,
            };
            flight.note(attempts.template.service(), flight.took(), Some(&status));
            drop(flight);
            let next = Box::pin(attempts.next(place, &status)).await;
            let Some((next, again)) = next.and_then(|next| Some((next, lent.again()?))) else {
                return Err(attempts.last_word(status));
            };
            (place, messages, cx) = (next, again, attempts.context());
        }
    }
}

/// A call of one member. One that may be made again ends when no way to the member works any more.
async fn one(member: &Member, cx: Context, message: Payload) -> Result<Response<Payload>, Status> {
    let current = member.peer.now();
    let idempotent = cx.idempotent;
    let answer = current.subchannels.unary(cx, message);
    if !idempotent {
        return answer.await;
    }
    let lost = current.shared().lost();
    tokio::select! {
        biased;
        outcome = answer => outcome,
        () = lost => Err(Status::unavailable("the member does not answer any more")),
    }
}
