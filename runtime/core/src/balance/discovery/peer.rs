use std::{sync::Arc, time::Duration};

use arc_swap::ArcSwap;
use tokio::sync::Mutex;

use super::{
    super::{
        order::MOST,
        route::{Route, Standing},
        routes::Routes,
        shared::Shared,
    },
    listing::Listing,
    setup::Setup,
    vetted::vetted,
};
use crate::{
    Code, Status,
    balance::directory::{self, ListResponse},
};

/// A peer whose transports change with what is heard of it. Calls in flight keep those that they have.
pub(super) struct Peer {
    setup: Arc<Setup>,
    /// Those that were given, which stay.
    fixed: Vec<Arc<Route>>,
    current: ArcSwap<Current>,
    learning: Mutex<()>,
}

/// What is known of a peer, and the channel that comes of it.
pub(super) struct Current {
    pub(super) routes: Routes,
    pub(super) listing: Option<Listing>,
}

impl Peer {
    /// One over these routes, of which more may be heard.
    pub(super) fn new(setup: Arc<Setup>, fixed: Vec<Arc<Route>>) -> Self {
        let shared = setup.shared(fixed.clone(), Default::default());
        let current = Current { routes: Routes::over(shared), listing: None };
        Self { setup, fixed, current: ArcSwap::from_pointee(current), learning: Mutex::default() }
    }

    /// What is known now.
    pub(super) fn now(&self) -> Arc<Current> {
        self.current.load_full()
    }

    /// This was heard. Routes that stay are kept, with all that is known of how they do.
    pub(super) async fn learn(&self, listing: Listing) {
        let _turn = self.learning.lock().await;
        let before = self.now();
        let listing = listing.or_services_of(before.listing.as_ref());
        if before.listing.as_ref() == Some(&listing) {
            return;
        }
        let routes = self.routes(&before, &listing).await;
        let serving = listing.serving(&routes);
        let old = before.shared();
        let stays = old.routes.len() == routes.len()
            && old.routes.iter().zip(&routes).all(|(one, other)| Arc::ptr_eq(one, other))
            && *old.methods.serving() == serving;
        let shared = if stays { old.clone() } else { self.setup.shared(routes, serving) };
        self.current.store(Arc::new(Current { routes: Routes::over(shared), listing: Some(listing) }));
    }

    async fn routes(&self, before: &Current, listing: &Listing) -> Vec<Arc<Route>> {
        let mut routes = self.fixed.clone();
        // What leads to another node at the same address is no way to this one.
        let same = before.listing.as_ref().is_some_and(|before| before.id == listing.id);
        for target in &listing.targets {
            let there = |route: &&Arc<Route>| route.target == *target;
            if routes.len() == MOST || routes.iter().any(|route| there(&route)) {
                continue;
            }
            let known = before.shared().routes.iter().filter(|_| same).find(there);
            match known {
                Some(route) => routes.push(route.clone()),
                None => routes.extend(self.open(target, &listing.id).await),
            }
        }
        routes
    }

    async fn open(&self, target: &str, id: &Arc<str>) -> Option<Arc<Route>> {
        let (transport, way) = self.setup.open(target).await?;
        let way = vetted(way, id.clone());
        Some(Arc::new(Route::new(transport, target.to_owned(), way, &self.setup.common)))
    }

    /// Asks the peer's directory, over the transport that works best; where that fails, over the others.
    ///
    /// # Errors
    /// Why the last of them failed; at once where there is no directory.
    pub(super) async fn ask(&self, members: bool, patience: Duration) -> Result<ListResponse, Status> {
        ask(&self.now().shared().routes, members, patience).await
    }

    /// How well the peer is reached.
    pub(super) fn standing(&self) -> Standing {
        self.current.load().shared().standing()
    }
}

/// Asks the directory over the route that works best; where that fails, over the others.
pub(super) async fn ask(
    routes: &[Arc<Route>],
    members: bool,
    patience: Duration,
) -> Result<ListResponse, Status> {
    let mut routes: Vec<_> = routes.iter().collect();
    routes.sort_by_key(|route| route.standing());
    let mut failure = Status::unavailable("there is no way to the peer").not_processed();
    for route in routes {
        match directory::list(&route.channel(), members, patience).await {
            Err(status) if matches!(status.code(), Code::Unavailable | Code::DeadlineExceeded) => {
                failure = status;
                // What the connection waits for may never come, as where the peer has been restarted.
                route.renew().await;
            }
            outcome => return outcome,
        }
    }
    Err(failure)
}

impl Current {
    pub(super) fn shared(&self) -> &Arc<Shared> {
        self.routes.shared()
    }
}
