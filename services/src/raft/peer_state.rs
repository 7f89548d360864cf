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
    /// Whether the member answers, and takes no part in consensus with this one.
    pub(super) is_refused: bool,
}

/// The channel, once there is one.
pub(super) struct OpenChannel {
    pub(super) channel: Channel,
    /// The same for calls: each carries a proof of this node, where a connection may prove nothing.
    pub(super) calls: Channel,
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
    pub(super) fn subchannels(&self) -> Vec<SubchannelExplanation> {
        let explained = self.open.as_ref().and_then(|open| open.channel.explain());
        explained.map(|explained| explained.subchannels).unwrap_or_default()
    }

    /// Whether every transport works.
    pub(super) fn is_well(&self) -> bool {
        self.subchannels()
            .iter()
            .all(|subchannel| subchannel.state == SubchannelState::Closed && !subchannel.is_failing)
    }

    /// The transport of the latest outcome, or the preferred one before the first.
    pub(super) fn transport(&self, transports: &[String]) -> &'static str {
        let heard = |subchannel: &SubchannelExplanation| {
            let failed = subchannel.last_error.as_ref().map(|(_, ago)| *ago);
            [subchannel.last_answer, failed].into_iter().flatten().min().unwrap_or(Duration::MAX)
        };
        let latest = self.subchannels().into_iter().min_by_key(heard).map(|subchannel| subchannel.transport);
        latest.unwrap_or(if transports.first().is_some_and(|name| name == "iroh") { "iroh" } else { "grpc" })
    }

    /// When and over which transport a call was answered last.
    pub(super) fn contact(&self, subchannels: &[SubchannelExplanation]) -> Option<(Instant, &'static str)> {
        let now = Instant::now();
        let at = |subchannel: &SubchannelExplanation| {
            Some((now.checked_sub(subchannel.last_answer?)?, subchannel.transport))
        };
        subchannels.iter().filter_map(at).chain(self.contact).max_by_key(|(at, _)| *at)
    }

    pub(super) fn failures(&self, subchannels: &[SubchannelExplanation]) -> Vec<(&'static str, String)> {
        let failing = subchannels.iter().filter(|subchannel| subchannel.is_failing);
        let why = |subchannel: &SubchannelExplanation| {
            Some((subchannel.transport, subchannel.last_error.clone()?.0))
        };
        let mut failures: Vec<_> = failing.filter_map(why).collect();
        if let Some(Failing { transport, reason, .. }) = &self.failing
            && failures.iter().all(|(name, _)| name != transport)
        {
            failures.push((transport, reason.clone()));
        }
        failures
    }

    pub(super) fn past(
        &self,
        subchannels: &[SubchannelExplanation],
    ) -> Vec<(&'static str, Duration, String)> {
        let met = |subchannel: &SubchannelExplanation| {
            let (reason, ago) = subchannel.last_error.clone()?;
            Some((subchannel.transport, ago, reason))
        };
        let noted =
            self.past.iter().map(|(transport, (at, reason))| (*transport, at.elapsed(), reason.clone()));
        let mut latest = BTreeMap::new();
        for (transport, ago, reason) in subchannels.iter().filter_map(met).chain(noted) {
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
