use std::{
    fmt,
    future::Future,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use parking_lot::{Mutex, MutexGuard};
use polywire::{Channel, ChannelBuilder, Code, Status, transport::Connected};
use tokio::time::Instant;

use super::{
    Member,
    dialling::{Dialling, Rule},
    key::{Key, is_shown, read_key},
    peer_state::{Failing, OpenChannel, PeerState},
    proof::Signing,
};
use crate::peer_report::PeerReport;

/// One member, and the channel to it.
pub(super) struct Peer {
    id: u64,
    dialling: Arc<Dialling>,
    state: Mutex<PeerState>,
    /// Whether calls avoid the preferred transport because it fails.
    is_rerouted: Arc<AtomicBool>,
}

/// The longest pause before a failed transport is tried again: a member that is back must hear from its leader before it
/// stands for election.
const PAUSE: Duration = Duration::from_millis(250);

impl Peer {
    pub(super) fn new(id: u64, member: &Member, dialling: Arc<Dialling>) -> Self {
        let state = Mutex::new(PeerState::new(member));
        Self { id, dialling, state, is_rerouted: Arc::default() }
    }

    pub(super) fn id(&self) -> u64 {
        self.id
    }

    /// Whether this is the member's key.
    pub(super) fn has(&self, key: &Key) -> bool {
        is_shown(key, &self.lock().member.endpoint_id)
    }

    /// Makes one call, over the transport that its policy chooses now.
    ///
    /// # Errors
    /// Those of the call, and `Unavailable` where the member has no address over an allowed transport.
    pub(super) async fn call<T, F>(&self, call: impl FnOnce(Channel) -> F) -> Result<T, Status>
    where
        F: Future<Output = Result<T, Status>>,
    {
        self.make(call, false).await
    }

    /// As [`call`](Self::call), for a consensus message: a refusal shows that another process answers.
    pub(super) async fn consensus<T, F>(&self, call: impl FnOnce(Channel) -> F) -> Result<T, Status>
    where
        F: Future<Output = Result<T, Status>>,
    {
        self.make(call, true).await
    }

    async fn make<T, F>(&self, call: impl FnOnce(Channel) -> F, is_consensus: bool) -> Result<T, Status>
    where
        F: Future<Output = Result<T, Status>>,
    {
        let calling = async { call(self.channel().await?).await };
        let outcome = calling.await;
        self.note(outcome.as_ref().err(), is_consensus);
        outcome
    }

    async fn channel(&self) -> Result<Channel, Status> {
        let rule = self.dialling.rule();
        let (targets, key) = {
            let mut state = self.lock();
            match &state.open {
                Some(open) if Arc::ptr_eq(&open.rule, &rule) => return Ok(open.calls.clone()),
                Some(_) => state.close(),
                None => {}
            }
            (state.targets(rule.transports())?, read_key(&state.member.endpoint_id))
        };
        let builder = Channel::builder().options(self.dialling.options.clone()).targets(targets);
        let Connected { channel, close, renew, .. } = self.choosing(builder, &rule).open().await?;
        let calls = self.proving(&channel, key, &rule);
        let open = Arc::new(OpenChannel { channel, calls, rule, renew, close: Mutex::new(Some(close)) });
        // A concurrent call may have opened one first.
        Ok(self.lock().open.get_or_insert(open).calls.clone())
    }

    /// The channel to the member with this key, whose calls carry proofs. Iroh proves this node's key by itself.
    fn proving(&self, channel: &Channel, key: Option<Key>, rule: &Rule) -> Channel {
        let needs_proof = rule.transports().iter().any(|transport| transport != "iroh");
        match (&self.dialling.prover, key) {
            (Some(prover), Some(key)) if needs_proof => {
                Signing::channel(channel.clone(), prover.clone(), key)
            }
            _ => channel.clone(),
        }
    }

    /// The builder of a channel with Raft's policy.
    fn choosing(&self, builder: ChannelBuilder, rule: &Rule) -> ChannelBuilder {
        let (member, is_rerouted) = (self.id, self.is_rerouted.clone());
        builder.policy(rule.policies.clone()).longest_pause(PAUSE).on_fallback(move |fallback| {
            if fallback.reason != "untried" && !is_rerouted.swap(true, Ordering::Relaxed) {
                let error = fallback.error.as_deref().unwrap_or(fallback.reason);
                tracing::warn!(member, target = fallback.from, error, "a member is unreachable");
            }
        })
    }

    fn note(&self, error: Option<&Status>, is_consensus: bool) {
        use Code::{
            Cancelled, DeadlineExceeded, FailedPrecondition, PermissionDenied, Unauthenticated, Unavailable,
            Unknown,
        };
        let code = error.map(Status::code);
        let is_lost = matches!(code, Some(Unavailable | DeadlineExceeded | Cancelled | Unknown));
        // Another process answers, or one that does not know this node.
        let is_refused =
            is_consensus && matches!(code, Some(FailedPrecondition | PermissionDenied | Unauthenticated));
        // Any other answer shows that it is there.
        let unanswered = error.filter(|_| is_lost || is_refused);
        let rule = self.dialling.rule();
        let mut state = self.lock();
        match unanswered {
            // It is there, and what it said of consensus it may still say: only consensus shows that it does not.
            None if !is_consensus && state.failing.as_ref().is_some_and(|failing| failing.is_refused) => {}
            None => {
                if state.failing.take().is_some() {
                    let transport = state.transport(rule.transports());
                    if std::mem::take(&mut state.loss_told) {
                        let name = &state.member.name;
                        tracing::info!(member = self.id, name, transport, "a member is reachable again");
                    }
                }
                if self.is_rerouted.load(Ordering::Relaxed) && state.is_well() {
                    self.is_rerouted.store(false, Ordering::Relaxed);
                    tracing::info!(member = self.id, "a member is reachable again over every transport");
                }
            }
            Some(status) => {
                let transport = state.transport(rule.transports());
                if state.failing.is_none()
                    && let Some(hidden) = state.losses.admit()
                {
                    state.loss_told = true;
                    let name = &state.member.name;
                    tracing::warn!(member = self.id, name, transport, %status, hidden, "a member is unreachable");
                }
                state.past.insert(transport, (Instant::now(), status.to_string()));
                state.failing = Some(Failing { transport, reason: status.to_string(), is_refused });
            }
        }
    }

    pub(super) fn learn(&self, member: &Member) {
        let mut state = self.lock();
        let same = state.member.incarnation == member.incarnation || member.incarnation == 0;
        if state.member.targets != member.targets || !same {
            state.close();
        }
        state.member = member.clone();
    }

    pub(super) fn report(&self) -> PeerReport {
        let state = self.lock();
        let subchannels = state.subchannels();
        let latest = state.contact(&subchannels);
        let subchannel = subchannels
            .iter()
            .find(|subchannel| latest.is_some_and(|(_, name)| name == subchannel.transport));
        PeerReport {
            id: self.id,
            member: state.member.clone(),
            transport: latest.map(|(_, transport)| transport),
            last_contact: latest.map(|(at, _)| at.elapsed()),
            latency: subchannel.and_then(|subchannel| subchannel.latency),
            path: subchannel.and_then(|subchannel| subchannel.path.clone()),
            failures: state.failures(&subchannels),
            past: state.past(&subchannels),
        }
    }

    /// Gives the connections up for new ones.
    pub(super) fn renew(&self) {
        if let Some(renew) = self.lock().open.as_ref().and_then(|open| open.renew.as_ref()) {
            renew();
        }
    }

    fn lock(&self) -> MutexGuard<'_, PeerState> {
        self.state.lock()
    }
}

impl fmt::Debug for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Peer").field("id", &self.id).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
