use std::{sync::Arc, time::Duration};

use tokio::time::Instant;

use super::{
    super::{explain::explain as explain_subchannels, subchannel::Subchannel},
    listing::Listing,
    peer::Peer,
    setup::Setup,
    ttl::Ttl,
};
use crate::{
    Channel, Code, Context, Payload, Response, Service, Status, Streaming, balance::directory::ListResponse,
};
use futures_util::future::BoxFuture;

/// A peer of which some targets are known, and whose directory tells the others: a [`Service`] as a channel over all of
/// them is. Calls go over what is known, and never wait for the directory.
pub(in crate::balance) struct Discovered(Arc<DiscoveredInner>);

struct DiscoveredInner {
    peer: Peer,
    ttl: Ttl,
}

/// How long the directory may take, a dial included.
const PATIENCE: Duration = Duration::from_secs(2);

impl Discovered {
    /// The channel to the peer, which explains its choices.
    pub(in crate::balance) fn into_channel(self) -> Channel {
        let inner = self.0.clone();
        Channel::new(self).explained_by(Arc::new(move || explain_subchannels(inner.peer.now().shared())))
    }

    /// The peer at these subchannels.
    pub(in crate::balance) fn new(setup: Setup, subchannels: Vec<Arc<Subchannel>>) -> Self {
        let peer = Peer::new(Arc::new(setup), subchannels);
        Self(Arc::new(DiscoveredInner { peer, ttl: Ttl::new(Instant::now()) }))
    }

    /// A function that forces a reconnect on each transport. Call it within a tokio runtime.
    pub(in crate::balance) fn renewing(&self) -> impl Fn() + Send + Sync + 'static + use<> {
        let inner = Arc::downgrade(&self.0);
        move || {
            if let Some(inner) = inner.upgrade() {
                inner.peer.now().subchannels.renewing()();
            }
        }
    }

    /// Tells the peer, over each transport that is known by then, that nothing more comes.
    pub(in crate::balance) fn closing(&self) -> BoxFuture<'static, ()> {
        let inner = self.0.clone();
        Box::pin(async move { inner.peer.now().subchannels.closing().await })
    }

    /// Asks the directory now, and waits for its answer or for it to take too long.
    pub(in crate::balance) async fn learn(&self) {
        if self.0.ttl.is_due(Instant::now()) {
            learn(self.0.clone()).await;
        }
    }

    fn refresh(&self) {
        if self.0.ttl.is_due(Instant::now()) {
            tokio::spawn(learn(self.0.clone()));
        }
    }

    /// A call failed; where that says that the peer is not where it was, the directory is asked at once.
    fn failed(&self, status: &Status) {
        if is_lost(status) && self.0.ttl.is_due_at_once(Instant::now()) {
            tokio::spawn(learn(self.0.clone()));
        }
    }
}

/// Whether the status means that the peer has moved or serves other services: the call was not processed.
pub(super) fn is_lost(status: &Status) -> bool {
    status.is_not_processed() && matches!(status.code(), Code::Unavailable | Code::Unimplemented)
}

async fn learn(inner: Arc<DiscoveredInner>) {
    let asked = inner.peer.ask(false, PATIENCE).await;
    let ttl = &inner.ttl;
    match asked {
        Ok(ListResponse { node: Some(node), services, ttl_ms, .. }) => {
            inner.peer.learn(Listing::of(node, services)).await;
            ttl.told(Instant::now(), Duration::from_millis(ttl_ms));
        }
        Err(status) if matches!(status.code(), Code::Unavailable | Code::DeadlineExceeded) => {
            tracing::debug!(%status, "the directory of a peer does not answer");
            ttl.failed(Instant::now());
        }
        // A server that has no directory, or one from before they told this, or that tells it to others only.
        Ok(_) | Err(_) => ttl.silent(Instant::now()),
    }
}

impl Service for Discovered {
    async fn unary(&self, cx: Context, message: Payload) -> Result<Response<Payload>, Status> {
        self.refresh();
        let outcome = self.0.peer.now().subchannels.unary(cx, message).await;
        outcome.inspect_err(|status| self.failed(status))
    }

    async fn stream(
        &self,
        cx: Context,
        messages: Streaming<Payload>,
    ) -> Result<Response<Streaming<Payload>>, Status> {
        self.refresh();
        let outcome = self.0.peer.now().subchannels.stream(cx, messages).await;
        outcome.inspect_err(|status| self.failed(status))
    }
}
