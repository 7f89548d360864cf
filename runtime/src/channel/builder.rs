use std::fmt;

#[cfg(feature = "node")]
use std::sync::Arc;

#[cfg(feature = "node")]
use super::discovery::{Discovered, Setup};
use super::{
    Channel,
    order::MOST,
    route::{Route, Way},
    routes::Routes,
    tally::Tally,
};
#[cfg(feature = "node")]
use crate::{ConnectOptions, Target, service::BoxFuture, transport::Connected};
use crate::{Service, Status, policy::PolicyHandle};

/// A [`Channel`] over several transports to one peer, being put together. They are in the order of preference, unless a
/// [`Policy`](crate::policy::Policy) says otherwise.
///
/// ```no_run
/// # #[cfg(feature = "node")]
/// # async fn show() -> Result<(), polywire::Status> {
/// use polywire::{Channel, policy::Policy};
///
/// let channel = Channel::builder()
///     .target("iroh://ENDPOINT_ID?addr=192.0.2.1:4433")
///     .target("grpc://192.0.2.1:7001")
///     .policy(Policy::default().share(0.25))
///     .connect()
///     .await?;
/// # Ok(()) }
/// ```
#[must_use = "a channel is there once it is connected"]
#[derive(Default)]
pub struct ChannelBuilder {
    ways: Vec<Wanted>,
    policies: PolicyHandle,
    #[cfg(feature = "node")]
    options: ConnectOptions,
    #[cfg(feature = "node")]
    discovers: bool,
}

enum Wanted {
    Connection(&'static str, Channel),
    #[cfg(feature = "node")]
    Target(Result<Target, String>),
}

impl ChannelBuilder {
    pub(super) fn new() -> Self {
        Self::default()
    }

    /// Over a connection that is there, under the name of its transport.
    pub fn connection(mut self, transport: &'static str, service: impl Service) -> Self {
        self.ways.push(Wanted::Connection(transport, service.into_channel()));
        self
    }

    /// Chooses by this policy, or by these [`Policies`](crate::policy::Policies), or by those that a
    /// [`PolicyHandle`] has at each call.
    pub fn policy(mut self, policy: impl Into<PolicyHandle>) -> Self {
        self.policies = policy.into();
        self
    }

    /// Over the transport of this target.
    #[cfg(feature = "node")]
    pub fn target<T: TryInto<Target, Error: fmt::Display>>(mut self, target: T) -> Self {
        self.ways.push(Wanted::Target(target.try_into().map_err(|error| error.to_string())));
        self
    }

    /// Over the transports of these targets.
    #[cfg(feature = "node")]
    pub fn targets<T: TryInto<Target, Error: fmt::Display>>(
        self,
        targets: impl IntoIterator<Item = T>,
    ) -> Self {
        targets.into_iter().fold(self, Self::target)
    }

    /// Over the transport of this target, and over the others that the peer there says it has: its directory is asked at the
    /// first call, again when its answer has gone stale, and at once when no transport reaches the peer. No call waits for
    /// that.
    ///
    /// What is learnt comes behind what was given; a [`Policy`](crate::policy::Policy) prefers by name. An address that was
    /// learnt is used once whoever answers there has said that he is the same node, a service goes over the transports
    /// that serve it, and only over those that this program has. A server without a directory is called at the target
    /// alone.
    ///
    /// ```no_run
    /// # async fn show() -> Result<(), polywire::Status> {
    /// use polywire::{Channel, policy::Policy};
    ///
    /// let channel = Channel::builder()
    ///     .discover("grpc://192.0.2.1:7001")
    ///     .policy(Policy::default().prefer(["iroh"]))
    ///     .connect()
    ///     .await?;
    /// # Ok(()) }
    /// ```
    #[cfg(feature = "node")]
    pub fn discover<T: TryInto<Target, Error: fmt::Display>>(mut self, target: T) -> Self {
        self.discovers = true;
        self.target(target)
    }

    /// Connects to targets so. Where the options have [metrics](ConnectOptions::metrics), these count also what the channel
    /// chooses, attempts and which works, and which calls go over another transport or are made again.
    #[cfg(feature = "node")]
    pub fn options(mut self, options: ConnectOptions) -> Self {
        self.options = options;
        self
    }

    /// The channel. Nothing is dialled before the first call.
    ///
    /// Must be called within a tokio runtime.
    ///
    /// # Errors
    /// `InvalidArgument` where a target is malformed, there is none, or there are more than eight; and whatever
    /// connecting to one of them fails with.
    pub async fn connect(self) -> Result<Channel, Status> {
        let Self { ways, policies, .. } = self;
        if ways.is_empty() || ways.len() > MOST {
            let found = ways.len();
            return Err(Status::invalid_argument(format!(
                "a channel has 1 to {MOST} transports, found {found}"
            )));
        }
        let tally = Tally {
            #[cfg(feature = "node")]
            metrics: self.options.metrics.clone(),
        };
        let mut routes = Vec::new();
        for way in ways {
            routes.push(match way {
                Wanted::Connection(transport, channel) => {
                    Route::new(transport, transport.to_owned(), Way::lasting(channel), &tally)
                }
                #[cfg(feature = "node")]
                Wanted::Target(target) => {
                    let target = target.map_err(Status::invalid_argument)?;
                    let way = open(Arc::new((target.clone(), self.options.clone()))).await?;
                    Route::new(target.transport(), target.to_string(), way, &tally)
                }
            });
        }
        #[cfg(feature = "node")]
        if self.discovers {
            let routes = routes.into_iter().map(Arc::new).collect();
            return Ok(Channel::new(Discovered::new(Setup::new(self.options, policies, false), routes)));
        }
        Ok(Channel::new(Routes::new(routes, policies, tally)))
    }
}

/// A way to the target.
#[cfg(feature = "node")]
pub(super) fn open(to: Arc<(Target, ConnectOptions)>) -> BoxFuture<Result<Way, Status>> {
    Box::pin(async move {
        let Connected { channel, path, renew, .. } = to.0.open(&to.1).await?;
        let again = move || -> BoxFuture<Option<Way>> {
            if let Some(renew) = &renew {
                renew();
                return Box::pin(std::future::ready(None));
            }
            let opening = open(to.clone());
            // A way that could be made once can be made again, but for want of sockets; then the old one has to do.
            Box::pin(async move { opening.await.ok() })
        };
        Ok(Way { channel, path: Box::new(move || path.now()), renew: Box::new(again) })
    })
}

impl fmt::Debug for ChannelBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ChannelBuilder").field("transports", &self.ways.len()).finish_non_exhaustive()
    }
}
