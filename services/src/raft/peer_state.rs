use std::{collections::BTreeMap, sync::Arc, time::Duration};

use futures_util::future::BoxFuture;
use parking_lot::Mutex;
use polywire::{Channel, RouteExplanation, RouteState, Status, Target};
use tokio::time::Instant;

use super::{Member, dialling::Rule, pace::Pace};

/// What is known of a member, and the channel to it.
pub(super) struct PeerState {
    pub(super) member: Member,
    pub(super) open: Option<Arc<OpenChannel>>,
    /// Why the last call failed; `None` since one went well.
    pub(super) failing: Option<Failing>,
    /// Why and when a call failed last, by the transport, whatever went well since.
    pub(super) past: BTreeMap<&'static str, (Instant, String)>,
    /// When and over which transport a call was answered last by where the member was before it moved.
    pub(super) contact: Option<(Instant, &'static str)>,
    /// How often the log is told that it is not reached, and whether it was the last time.
    pub(super) losses: Pace,
    pub(super) loss_told: bool,
}

/// A call that failed.
pub(super) struct Failing {
    pub(super) transport: &'static str,
    pub(super) reason: String,
}

/// The channel, once there is one.
pub(super) struct OpenChannel {
    pub(super) channel: Channel,
    /// What held when it was opened.
    pub(super) rule: Arc<Rule>,
    pub(super) renew: Option<Box<dyn Fn() + Send + Sync>>,
    pub(super) close: Mutex<Option<BoxFuture<'static, ()>>>,
}

/// How often in a minute the log is told that a member is lost, and that it is back.
const LOSSES: u32 = 6;

impl PeerState {
    pub(super) fn new(member: &Member) -> Self {
        Self {
            member: member.clone(),
            open: None,
            failing: None,
            past: BTreeMap::new(),
            contact: None,
            losses: Pace::a_minute(LOSSES),
            loss_told: false,
        }
    }

    /// The targets over these transports.
    pub(super) fn targets(&self, transports: &[String]) -> Result<Vec<Target>, Status> {
        let targets: Vec<Target> = self.member.targets.iter().filter_map(|text| text.parse().ok()).collect();
        let over = |name: &String| targets.iter().find(|target| target.transport() == name).cloned();
        let found: Vec<_> = transports.iter().filter_map(over).collect();
        if found.is_empty() {
            let reason = format!(
                "the member {} has no address over {}, which transport.strategy.raft_transport asks for",
                self.member,
                transports.join(" or ")
            );
            return Err(Status::unavailable(reason).not_processed());
        }
        Ok(found)
    }

    /// How each transport is doing.
    pub(super) fn routes(&self) -> Vec<RouteExplanation> {
        let explained = self.open.as_ref().and_then(|open| open.channel.explain());
        explained.map(|explained| explained.routes).unwrap_or_default()
    }

    /// Whether every transport works.
    pub(super) fn is_well(&self) -> bool {
        self.routes().iter().all(|route| route.state == RouteState::Closed && !route.is_failing)
    }

    /// The transport of which there is news last; before there is any, the one that is preferred.
    pub(super) fn transport(&self, transports: &[String]) -> &'static str {
        let heard = |route: &RouteExplanation| {
            let failed = route.last_error.as_ref().map(|(_, ago)| *ago);
            [route.last_answer, failed].into_iter().flatten().min().unwrap_or(Duration::MAX)
        };
        let latest = self.routes().into_iter().min_by_key(heard).map(|route| route.transport);
        latest.unwrap_or(if transports.first().is_some_and(|name| name == "iroh") { "iroh" } else { "grpc" })
    }

    /// When and over which transport a call was answered last.
    pub(super) fn contact(&self, routes: &[RouteExplanation]) -> Option<(Instant, &'static str)> {
        let now = Instant::now();
        let at = |route: &RouteExplanation| Some((now.checked_sub(route.last_answer?)?, route.transport));
        routes.iter().filter_map(at).chain(self.contact).max_by_key(|(at, _)| *at)
    }

    pub(super) fn failures(&self, routes: &[RouteExplanation]) -> Vec<(&'static str, String)> {
        let failing = routes.iter().filter(|route| route.is_failing);
        let why = |route: &RouteExplanation| Some((route.transport, route.last_error.clone()?.0));
        let mut failures: Vec<_> = failing.filter_map(why).collect();
        if let Some(Failing { transport, reason }) = &self.failing
            && failures.iter().all(|(name, _)| name != transport)
        {
            failures.push((transport, reason.clone()));
        }
        failures
    }

    pub(super) fn past(&self, routes: &[RouteExplanation]) -> Vec<(&'static str, Duration, String)> {
        let met = |route: &RouteExplanation| {
            let (reason, ago) = route.last_error.clone()?;
            Some((route.transport, ago, reason))
        };
        let noted =
            self.past.iter().map(|(transport, (at, reason))| (*transport, at.elapsed(), reason.clone()));
        let mut latest = BTreeMap::new();
        for (transport, ago, reason) in routes.iter().filter_map(met).chain(noted) {
            let other = latest.get(transport).is_some_and(|(other, _)| *other <= ago);
            if !other {
                latest.insert(transport, (ago, reason));
            }
        }
        latest.into_iter().map(|(transport, (ago, reason))| (transport, ago, reason)).collect()
    }

    /// Gives the channel up; the next call makes another.
    pub(super) fn close(&mut self) {
        self.contact = self.contact(&self.routes());
        if let Some(open) = self.open.take() {
            // Others may share the connection, which is none any more.
            if let Some(renew) = &open.renew {
                renew();
            }
            let close = open.close.lock().take();
            tokio::spawn(async move {
                if let Some(close) = close {
                    close.await;
                }
            });
        }
    }
}
