use std::{fmt, sync::Arc};

use super::{
    super::{
        Channel, builder,
        route::{Common, Route},
        tally::Tally,
    },
    cluster::Cluster,
    setup::Setup,
};
use crate::{ConnectOptions, Status, Target, policy::PolicyHandle};

/// A [`Channel`] to all members of a cluster, being put together from some that are known.
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

impl ClusterBuilder {
    pub(in crate::channel) fn new<T: TryInto<Target, Error: fmt::Display>>(seed: T) -> Self {
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
    /// go to another member or over another transport.
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
    pub async fn connect(self) -> Result<Channel, Status> {
        let Self { seeds, policies, options } = self;
        let common = Common::counted_by(Tally { metrics: options.metrics.clone(), observer: None });
        let setup = Setup::new(options.clone(), policies, common, true);
        let mut routes = Vec::new();
        for seed in seeds {
            let target = seed.map_err(Status::invalid_argument)?;
            let way = builder::open(Arc::new((target.clone(), options.clone()))).await?;
            routes.push(Arc::new(Route::new(target.transport(), target.to_string(), way, &setup.common)));
        }
        Ok(Channel::new(Cluster::new(setup, routes)))
    }
}

impl fmt::Debug for ClusterBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClusterBuilder").field("seeds", &self.seeds).finish_non_exhaustive()
    }
}
