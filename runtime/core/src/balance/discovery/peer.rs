use std::{sync::Arc, time::Duration};

use arc_swap::ArcSwap;
use tokio::sync::Mutex;

use super::{
    super::{
        picker::MOST,
        state::ChannelState,
        subchannel::{Connectivity, Subchannel},
        subchannels::Subchannels,
    },
    listing::Listing,
    setup::Setup,
    told::is_of_another,
    verify_peer::vetted,
};
use crate::{
    Code, Status,
    balance::directory::{self, ListResponse},
};

/// A peer whose transports change with what is heard of it. Calls in flight keep those that they have.
pub(super) struct Peer {
    setup: Arc<Setup>,
    /// Those that were given, which stay.
    fixed: Vec<Arc<Subchannel>>,
    current: ArcSwap<Current>,
    learning: Mutex<()>,
}

/// What is known of a peer, and the channel that comes of it.
pub(super) struct Current {
    pub(super) subchannels: Subchannels,
    pub(super) listing: Option<Listing>,
}

impl Peer {
    /// One over these subchannels, of which more may be heard.
    pub(super) fn new(setup: Arc<Setup>, fixed: Vec<Arc<Subchannel>>) -> Self {
        let shared = setup.shared(fixed.clone(), Default::default());
        let current = Current { subchannels: Subchannels::over(shared), listing: None };
        Self { setup, fixed, current: ArcSwap::from_pointee(current), learning: Mutex::default() }
    }

    /// What is known now.
    pub(super) fn now(&self) -> Arc<Current> {
        self.current.load_full()
    }

    /// This was heard. Subchannels that stay are kept, with all that is known of how they do.
    pub(super) async fn learn(&self, listing: Listing) {
        let _turn = self.learning.lock().await;
        let before = self.now();
        let listing = listing.or_services_of(before.listing.as_ref());
        if before.listing.as_ref() == Some(&listing) {
            return;
        }
        let subchannels = self.subchannels(&before, &listing).await;
        let serving = listing.serving(&subchannels);
        let old = before.shared();
        let stays = old.subchannels.len() == subchannels.len()
            && old.subchannels.iter().zip(&subchannels).all(|(one, other)| Arc::ptr_eq(one, other))
            && *old.methods.serving() == serving;
        let shared = if stays { old.clone() } else { self.setup.shared(subchannels, serving) };
        self.current
            .store(Arc::new(Current { subchannels: Subchannels::over(shared), listing: Some(listing) }));
    }

    async fn subchannels(&self, before: &Current, listing: &Listing) -> Vec<Arc<Subchannel>> {
        let mut subchannels = self.fixed.clone();
        // What leads to another node at the same address is no way to this one.
        let same = before.listing.as_ref().is_some_and(|before| before.id == listing.id);
        for target in &listing.targets {
            let there = |subchannel: &&Arc<Subchannel>| subchannel.target == *target;
            if subchannels.len() == MOST || subchannels.iter().any(|subchannel| there(&subchannel)) {
                continue;
            }
            let known = before.shared().subchannels.iter().filter(|_| same).find(there);
            match known {
                Some(subchannel) => subchannels.push(subchannel.clone()),
                None => subchannels.extend(self.open(target, &listing.id).await),
            }
        }
        subchannels
    }

    async fn open(&self, target: &str, id: &Arc<str>) -> Option<Arc<Subchannel>> {
        if target.parse().is_ok_and(|target| is_of_another(&target, id)) {
            tracing::warn!(target, id = &**id, "a target of a peer has the key of another node");
            return None;
        }
        let (transport, way) = self.setup.open(target).await?;
        let way = vetted(way, id.clone());
        Some(Arc::new(Subchannel::new(transport, target.to_owned(), way, &self.setup.common)))
    }

    /// Asks the peer's directory, over the transport that works best; where that fails, over the others.
    ///
    /// # Errors
    /// Why the last of them failed; at once where there is no directory.
    pub(super) async fn ask(&self, members: bool, patience: Duration) -> Result<ListResponse, Status> {
        ask(&self.now().shared().subchannels, members, patience).await
    }

    /// How well the peer is reached.
    pub(super) fn connectivity(&self) -> Connectivity {
        self.current.load().shared().connectivity()
    }
}

/// Asks the directory over the subchannel that works best; where that fails, over the others.
pub(super) async fn ask(
    subchannels: &[Arc<Subchannel>],
    members: bool,
    patience: Duration,
) -> Result<ListResponse, Status> {
    let mut subchannels: Vec<_> = subchannels.iter().collect();
    subchannels.sort_by_key(|subchannel| subchannel.connectivity());
    let mut failure = Status::unavailable("there is no way to the peer").not_processed();
    for subchannel in subchannels {
        match directory::list(&subchannel.channel(), members, patience).await {
            Err(status) if matches!(status.code(), Code::Unavailable | Code::DeadlineExceeded) => {
                failure = status;
                // What the connection waits for may never come, as where the peer has been restarted.
                subchannel.renew().await;
            }
            outcome => return outcome,
        }
    }
    Err(failure)
}

impl Current {
    pub(super) fn shared(&self) -> &Arc<ChannelState> {
        self.subchannels.shared()
    }
}
