use std::sync::Arc;

use super::{
    super::{
        builder,
        state::ChannelState,
        subchannel::{Common, RenewableConnection, Subchannel},
    },
    told::leads_here,
};
use crate::{
    ConnectOptions, Target,
    policy::{PolicyHandle, budget::Budget},
};
use futures_util::future::BoxFuture;

/// How channels to peers that are being discovered are made.
pub(in crate::balance) struct Setup {
    open: Open,
    pub(super) policies: PolicyHandle,
    pub(super) budget: Arc<Budget>,
    pub(super) common: Common,
    /// Whether there are other peers, to which a call may go instead.
    among_others: bool,
}

/// Makes a way to a target over the transport that it names; `None` where this program cannot go there.
pub(super) type Open =
    Box<dyn Fn(&str) -> BoxFuture<'static, Option<(&'static str, RenewableConnection)>> + Send + Sync>;

impl Setup {
    /// Channels that connect with these options. A target that leads to this machine is dialled only if one that was given
    /// does too, which `is_here` says: a peer elsewhere must not send calls to what listens here.
    pub(in crate::balance) fn new(
        options: ConnectOptions,
        policies: PolicyHandle,
        common: Common,
        among_others: bool,
        is_here: bool,
    ) -> Self {
        let open = move |target: &str| open(target, &options, is_here);
        Self::with(Box::new(open), policies, common, among_others)
    }

    pub(super) fn with(open: Open, policies: PolicyHandle, common: Common, among_others: bool) -> Self {
        Self { open, policies, budget: Arc::new(Budget::new()), common, among_others }
    }

    /// A way to this target; `None` where this program cannot go there.
    pub(super) async fn open(&self, target: &str) -> Option<(&'static str, RenewableConnection)> {
        (self.open)(target).await
    }

    /// What the calls to a peer over these subchannels share.
    pub(super) fn shared(
        &self,
        subchannels: Vec<Arc<Subchannel>>,
        serving: std::collections::HashMap<String, u8>,
    ) -> Arc<ChannelState> {
        let (policies, budget) = (self.policies.clone(), self.budget.clone());
        Arc::new(ChannelState::of(
            subchannels,
            policies,
            self.common.observer.clone(),
            budget,
            serving,
            self.among_others,
        ))
    }
}

fn open(
    target: &str,
    options: &ConnectOptions,
    is_here: bool,
) -> BoxFuture<'static, Option<(&'static str, RenewableConnection)>> {
    let target = match target.parse::<Target>() {
        Ok(target) if !target.is_local() && (is_here || !leads_here(&target)) => target,
        // A Unix socket or a loopback address of another machine is none of this one's.
        Ok(_) | Err(_) => {
            tracing::debug!(target, "a peer is reached at a target that means nothing here");
            return Box::pin(std::future::ready(None));
        }
    };
    let options = if is_here { options.clone() } else { options.clone().remote_only() };
    Box::pin(async move {
        let transport = target.transport();
        match builder::open(Arc::new((target.clone(), options))).await {
            Ok(way) => Some((transport, way)),
            Err(status) => {
                tracing::warn!(%target, %status, "a target of a peer cannot be used");
                None
            }
        }
    })
}
