use std::{fmt, sync::Arc, time::Duration};

use super::discovery::{Discovered, Setup, leads_here};
use super::{
    Channel, Fallback,
    observer::{ChannelObserver, OnFallback},
    picker::MOST,
    subchannel::{Common, RenewableConnection, Subchannel},
    subchannels::Subchannels,
};
use crate::{ConnectOptions, Target, sync::Mutex, transport::Connected};
use crate::{Service, Status, policy::PolicyHandle};
use futures_util::future::BoxFuture;

/// A [`Channel`] over several transports to one peer, being put together. They are in the order of preference, unless a
/// [`Policy`](crate::policy::Policy) says otherwise.
///
/// ```no_run
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
    on_fallback: Option<OnFallback>,
    longest_pause: Option<Duration>,
    options: ConnectOptions,
    discovers: bool,
    learns_first: bool,
}

enum Wanted {
    Connection(&'static str, Channel),
    Target(Result<Target, String>),
}

impl Channel {
    /// A channel over several transports to one peer.
    pub fn builder() -> ChannelBuilder {
        ChannelBuilder::new()
    }
}

impl ChannelBuilder {
    pub(super) fn new() -> Self {
        Self::default()
    }

    /// Over a connection that is there, under the name of its transport.
    pub fn connection(mut self, transport: &'static str, service: impl Service) -> Self {
        self.ways.push(Wanted::Connection(transport, Channel::new(service)));
        self
    }

    /// Chooses by this policy, or by these [`Policies`](crate::policy::Policies), or by those that a
    /// [`PolicyHandle`] has at each call.
    pub fn policy(mut self, policy: impl Into<PolicyHandle>) -> Self {
        self.policies = policy.into();
        self
    }

    /// Over the transport of this target.
    pub fn target<T: TryInto<Target, Error: fmt::Display>>(mut self, target: T) -> Self {
        self.ways.push(Wanted::Target(target.try_into().map_err(|error| error.to_string())));
        self
    }

    /// Over the transports of these targets.
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
    /// Discovered targets come after the given ones; a [`Policy`](crate::policy::Policy) prefers by name. A discovered
    /// address is used only after the node there has confirmed its id. A service uses the transports that serve it and that
    /// this program has. A server without a directory is called at the target alone.
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
    pub fn discover<T: TryInto<Target, Error: fmt::Display>>(mut self, target: T) -> Self {
        self.discovers = true;
        self.target(target)
    }

    /// Where it [discovers](Self::discover), asks the peer's directory before [`open`](Self::open) returns, for a caller
    /// that makes one call and no more.
    #[doc(hidden)]
    pub fn learn_first(mut self) -> Self {
        self.learns_first = true;
        self
    }

    /// Connects to targets so. Where the options have [metrics](ConnectOptions::metrics), these count also what the channel
    /// chooses, attempts and which works, and which calls go over another transport or are made again.
    pub fn options(mut self, options: ConnectOptions) -> Self {
        self.options = options;
        self
    }

    /// A transport that does not work is left alone for this long at most before it is asked again how it is. Default
    /// 15 s: each time costs a dial.
    pub fn longest_pause(mut self, pause: Duration) -> Self {
        self.longest_pause = Some(pause);
        self
    }

    /// Tells this function of each call that goes over another transport than the one it prefers, or was going over;
    /// before it does, and on the way of the call: the function must not wait for anything.
    pub fn on_fallback(mut self, tell: impl Fn(&Fallback<'_>) + Send + Sync + 'static) -> Self {
        self.on_fallback = Some(Arc::new(tell));
        self
    }

    /// The channel. Nothing is dialled before the first call.
    ///
    /// Must be called within a tokio runtime.
    ///
    /// # Errors
    /// `InvalidArgument` where a target is malformed, there is none, or there are more than eight; and whatever
    /// connecting to one of them fails with.
    ///
    /// # Cancel safety
    /// Safe: nothing has been dialled, and what was opened so far is closed.
    pub async fn connect(self) -> Result<Channel, Status> {
        if self.discovers {
            return Ok(self.discovered().await?.into_channel());
        }
        Ok(self.subchannels().await?.into_channel())
    }

    /// The channel of [`connect`](Self::connect), with functions that close the connections in an orderly manner and that
    /// force a reconnect on each transport. The channel [explains](Channel::explain) the network paths.
    ///
    /// # Errors
    /// As [`connect`](Self::connect).
    ///
    /// # Cancel safety
    /// As [`connect`](Self::connect).
    pub async fn open(self) -> Result<Connected, Status> {
        if self.discovers {
            let learns_first = self.learns_first;
            let discovered = self.discovered().await?;
            if learns_first {
                discovered.learn().await;
            }
            let (closing, renewing) = (discovered.closing(), discovered.renewing());
            return Ok(Connected::new(discovered.into_channel()).closing(closing).renewing(renewing));
        }
        let subchannels = self.subchannels().await?;
        let (closing, renewing) = (subchannels.closing(), subchannels.renewing());
        Ok(Connected::new(subchannels.into_channel()).closing(closing).renewing(renewing))
    }

    async fn subchannels(mut self) -> Result<Subchannels, Status> {
        let common = self.common();
        let subchannels = self.ways(&common).await?;
        Ok(Subchannels::new(subchannels, self.policies, common.observer))
    }

    async fn discovered(mut self) -> Result<Discovered, Status> {
        let common = self.common();
        let is_here = self.ways.iter().any(|way| match way {
            Wanted::Connection(..) => true,
            Wanted::Target(target) => target.as_ref().is_ok_and(leads_here),
        });
        let subchannels = self.ways(&common).await?.into_iter().map(Arc::new).collect();
        Ok(Discovered::new(Setup::new(self.options, self.policies, common, false, is_here), subchannels))
    }

    fn common(&mut self) -> Common {
        let observer =
            ChannelObserver { metrics: self.options.observer.clone(), on_fallback: self.on_fallback.take() };
        let common = Common::counted_by(observer);
        Common { longest_pause: self.longest_pause.unwrap_or(common.longest_pause), ..common }
    }

    async fn ways(&mut self, common: &Common) -> Result<Vec<Subchannel>, Status> {
        let ways = std::mem::take(&mut self.ways);
        if ways.is_empty() || ways.len() > MOST {
            let found = ways.len();
            return Err(Status::invalid_argument(format!(
                "a channel has 1 to {MOST} transports, found {found}"
            )));
        }
        let mut subchannels = Vec::new();
        for way in ways {
            subchannels.push(match way {
                Wanted::Connection(transport, channel) => Subchannel::new(
                    transport,
                    transport.to_owned(),
                    RenewableConnection::lasting(channel),
                    common,
                ),
                Wanted::Target(target) => {
                    let target = target.map_err(Status::invalid_argument)?;
                    let way = open(Arc::new((target.clone(), self.options.clone()))).await?;
                    Subchannel::new(target.transport(), target.to_string(), way, common)
                }
            });
        }
        Ok(subchannels)
    }
}

/// A way to the target.
pub(super) fn open(
    to: Arc<(Target, ConnectOptions)>,
) -> BoxFuture<'static, Result<RenewableConnection, Status>> {
    Box::pin(async move {
        let Connected { channel, close, path, renew } = to.0.open(&to.1).await?;
        let again = move || -> BoxFuture<'static, Option<RenewableConnection>> {
            if let Some(renew) = &renew {
                renew();
                return Box::pin(std::future::ready(None));
            }
            let opening = open(to.clone());
            // A way that could be made once can be made again, but for want of sockets; then the old one has to do.
            Box::pin(async move { opening.await.ok() })
        };
        let path = move || path.now();
        let close = Mutex::new(Some(close));
        Ok(RenewableConnection { channel, path: Box::new(path), renew: Box::new(again), close })
    })
}

impl fmt::Debug for ChannelBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ChannelBuilder").field("transports", &self.ways.len()).finish_non_exhaustive()
    }
}
