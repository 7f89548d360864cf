use std::{fmt, sync::Arc};

use super::{
    super::{
        Channel, builder,
        observer::ChannelObserver,
        subchannel::{Common, Subchannel},
    },
    cluster::Cluster,
    setup::Setup,
    told::leads_here,
};
use crate::{ConnectOptions, Status, Target, policy::PolicyHandle};

/// Builds a [`Channel`] to all members of a cluster from some known ones.
///
/// The known members' directories list all members, their services and their endpoints. Each call picks a working member
/// that serves it: of two random ones that with the lower (calls in flight + 1) × average latency, where latencies differ if
/// one is at least twice the other. Failing fast does not count as fast: a member at which calls of the service fail with a
/// share of 0.3 above the best member is ejected, except for a trial call every few seconds, until three in a row succeed;
/// `runtime/ADAPTIVE.md` lists the codes that count. At the member the call takes a transport by its policy. A failed call
/// moves to another member only if it was not processed or the method is idempotent, within the deadline, the retry budget of
/// all members and the server's pushback.
///
/// The list is valid for the time that the directory states, 5 s on a node. Then any working member is asked for a new list,
/// concurrently with calls; at once if a call finds no member. The channel follows members that join, leave or move, and
/// ignores lists of other clusters and outdated ones. Servers without a directory are members themselves.
///
/// A call fails with `Unimplemented` if no member serves it, and with `Unavailable` if no serving member is reachable. Both
/// statuses name the members and state that the call was not processed.
///
/// ```no_run
/// # async fn show() -> Result<(), polywire::Status> {
/// use polywire::Channel;
///
/// let channel = Channel::cluster("grpc://192.0.2.1:7001").seed("grpc://192.0.2.2:7001").connect().await?;
/// # Ok(()) }
/// ```
#[must_use = "a channel is there once it is connected"]
pub struct ClusterBuilder {
    seeds: Vec<Result<Target, String>>,
    policies: PolicyHandle,
    options: ConnectOptions,
}

impl Channel {
    /// A channel to all members of the cluster that this one belongs to. Its directory tells who they are, and each call
    /// takes one that serves it.
    ///
    /// Of two that are drawn at random a call takes the one with fewer calls in flight and the lower latency
    /// ([`ClusterBuilder`] has more to say). Members that join, leave or move are followed. A call that fails at one goes
    /// to another only where it was not processed or the method is idempotent, within one budget for all of them.
    pub fn cluster<T: TryInto<Target, Error: fmt::Display>>(seed: T) -> ClusterBuilder {
        ClusterBuilder::new(seed)
    }
}

impl ClusterBuilder {
    pub(in crate::balance) fn new<T: TryInto<Target, Error: fmt::Display>>(seed: T) -> Self {
        let builder =
            Self { seeds: Vec::new(), policies: PolicyHandle::default(), options: ConnectOptions::new() };
        builder.seed(seed)
    }

    /// Another member that may be asked who is in the cluster, for where the first is not there at the beginning. Once
    /// others are known, the seeds may be gone.
    pub fn seed<T: TryInto<Target, Error: fmt::Display>>(mut self, target: T) -> Self {
        self.seeds.push(target.try_into().map_err(|error| error.to_string()));
        self
    }

    /// Calls choose among the transports of the member that they take by this policy, or by these
    /// [`Policies`](crate::policy::Policies), or by those that a [`PolicyHandle`] has at each call.
    pub fn policy(mut self, policy: impl Into<PolicyHandle>) -> Self {
        self.policies = policy.into();
        self
    }

    /// Connects to the members so. Where the options have [metrics](ConnectOptions::metrics), these count also which calls
    /// go to another member or over another transport. With an Iroh dialer [among them](ConnectOptions::with) all members
    /// are dialled from its endpoint; without, each has one of its own, at its first call over Iroh.
    pub fn options(mut self, options: ConnectOptions) -> Self {
        self.options = options;
        self
    }

    /// The channel. Nothing is dialled before the first call, which waits until a seed has told who is in the cluster.
    ///
    /// Must be called within a tokio runtime.
    ///
    /// # Errors
    /// `InvalidArgument` where a seed is malformed; and whatever connecting to one of them fails with.
    ///
    /// # Cancel safety
    /// Safe: nothing has been dialled, and what was opened so far is closed.
    pub async fn connect(self) -> Result<Channel, Status> {
        let Self { seeds, policies, options } = self;
        let common =
            Common::counted_by(ChannelObserver { metrics: options.observer.clone(), on_fallback: None });
        let seeds = seeds.into_iter().collect::<Result<Vec<_>, _>>().map_err(Status::invalid_argument)?;
        let is_here = seeds.iter().any(leads_here);
        let setup = Setup::new(options.clone(), policies, common, true, is_here);
        let mut subchannels = Vec::new();
        for target in seeds {
            let way = builder::open(Arc::new((target.clone(), options.clone()))).await?;
            subchannels.push(Arc::new(Subchannel::new(
                target.transport(),
                target.to_string(),
                way,
                &setup.common,
            )));
        }
        Ok(Cluster::new(setup, subchannels).into_channel())
    }
}

impl fmt::Debug for ClusterBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClusterBuilder").field("seeds", &self.seeds).finish_non_exhaustive()
    }
}
