use std::{collections::BTreeMap, sync::Arc, time::Duration};

use futures_util::future::BoxFuture;
use parking_lot::Mutex;
use polywire::{Channel, Status, SubchannelExplanation, SubchannelState, Target};
use tokio::time::Instant;

use super::{Member, dialling::Rule, pace::Pace};

/// What is known of a member, and the channel to it.
pub(super) struct PeerState {
    pub(super) member: Member,
    pub(super) open: Option<Arc<OpenChannel>>,
    /// Why the last call failed; `None` after a success.
    pub(super) failing: Option<Failing>,
    /// The last failure of each transport, kept after a success.
    pub(super) past: BTreeMap<&'static str, (Instant, String)>,
    /// When and over which transport a call was answered last, before the channel was reopened.
    pub(super) contact: Option<(Instant, &'static str)>,
    /// The rate limit of log lines about its loss, and whether the last loss was logged.
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
    /// The rule that it was opened with.
    pub(super) rule: Arc<Rule>,
    pub(super) renew: Option<Box<dyn Fn() + Send + Sync>>,
    pub(super) close: Mutex<Option<BoxFuture<'static, ()>>>,
}

/// How many losses of a member are logged in a minute.
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
    pub(super) fn routes(&self) -> Vec<SubchannelExplanation> {
        let explained = self.open.as_ref().and_then(|open| open.channel.explain());
        explained.map(|explained| explained.subchannels).unwrap_or_default()
    }

    /// Whether every transport works.
    pub(super) fn is_well(&self) -> bool {
        self.subchannels().iter().all(|route| route.state == SubchannelState::Closed && !route.is_failing)
    }

    /// The transport of the latest outcome, or the preferred one before the first.
    pub(super) fn transport(&self, transports: &[String]) -> &'static str {
        let heard = |route: &SubchannelExplanation| {
            let failed = route.last_error.as_ref().map(|(_, ago)| *ago);
            [route.last_answer, failed].into_iter().flatten().min().unwrap_or(Duration::MAX)
        };
        let latest = self.subchannels().into_iter().min_by_key(heard).map(|route| route.transport);
        latest.unwrap_or(if transports.first().is_some_and(|name| name == "iroh") { "iroh" } else { "grpc" })
    }

    /// When and over which transport a call was answered last.
    pub(super) fn contact(&self, routes: &[SubchannelExplanation]) -> Option<(Instant, &'static str)> {
        let now = Instant::now();
        let at =
            |route: &SubchannelExplanation| Some((now.checked_sub(route.last_answer?)?, route.transport));
        routes.iter().filter_map(at).chain(self.contact).max_by_key(|(at, _)| *at)
    }

    pub(super) fn failures(&self, routes: &[SubchannelExplanation]) -> Vec<(&'static str, String)> {
        let failing = routes.iter().filter(|route| route.is_failing);
        let why = |route: &SubchannelExplanation| Some((route.transport, route.last_error.clone()?.0));
        let mut failures: Vec<_> = failing.filter_map(why).collect();
        if let Some(Failing { transport, reason }) = &self.failing
            && failures.iter().all(|(name, _)| name != transport)
        {
            failures.push((transport, reason.clone()));
        }
        failures
    }

    pub(super) fn past(&self, routes: &[SubchannelExplanation]) -> Vec<(&'static str, Duration, String)> {
        let met = |route: &SubchannelExplanation| {
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

    /// Closes the channel; the next call opens another.
    pub(super) fn close(&mut self) {
        self.contact = self.contact(&self.subchannels());
        if let Some(open) = self.open.take() {
            // Other channels may share the stale connection.
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
