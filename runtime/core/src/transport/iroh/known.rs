use std::{fmt, sync::Arc};

use ::iroh::{
    EndpointAddr, EndpointId,
    endpoint::{Connection, WeakConnectionHandle},
};

use super::{
    alive::{close_the_dead, is_taken},
    connection::selected,
};

use crate::sync::{Mutex, MutexGuard};

/// The connections of an endpoint, for those who want to know which ways they take; it keeps none of them open.
/// Clones share them.
///
/// iroh sends what is for a peer, a dial too, to one address for as long as any connection with the peer is open there. A
/// peer that was restarted is at another address, or does not know the connections of the process before, and QUIC
/// notices that by its idle timeout alone. So both ends look at the older connections first.
#[derive(Clone, Default)]
pub(super) struct Known(Arc<Mutex<Connections>>);

#[derive(Default)]
struct Connections {
    handles: Vec<WeakConnectionHandle>,
    /// With so many, those that are gone are taken out.
    crowded: usize,
}

/// Fewer than this are not looked through.
const FEW: usize = 16;

impl Known {
    /// Remembers the connection while it is in use.
    pub(super) fn add(&self, connection: &Connection) {
        let mut connections = self.lock();
        if connections.handles.len() >= connections.crowded.max(FEW) {
            connections.handles.retain(|handle| handle.upgrade().is_some());
            connections.crowded = connections.handles.len() * 2;
        }
        connections.handles.push(connection.weak_handle());
    }

    /// Closes what would keep a dial from this address: connections with the peer that lead elsewhere, and on which it does
    /// not answer.
    pub(super) async fn make_way(&self, to: &EndpointAddr) {
        let leads_elsewhere = |connection: &Connection| {
            selected(connection).is_some_and(|address| !to.is_empty() && !to.addrs.contains(&address))
        };
        let older = self.with(to.id);
        if older.iter().any(leads_elsewhere) {
            close_the_dead(older).await;
        }
    }

    /// Closes the connections with a peer that has made this new one, as far as it does not answer on them any more. Where
    /// packets go the new one's way that happens later, and holds nothing up.
    ///
    /// Returns whether the new one can be used. Where the others led to another address, iroh stays with that until none
    /// is left, this one included: the peer has to make it once more.
    pub(super) async fn admits(&self, new: &Connection) -> bool {
        let older = self.with(new.remote_id());
        if older.is_empty() {
            return true;
        }
        if is_taken(new) {
            // For a second at most.
            tokio::spawn(close_the_dead(older));
            return true;
        }
        let before = older.len();
        let alive = close_the_dead(older).await;
        alive.len() == before || is_taken(new) || alive.iter().any(is_taken)
    }

    /// The open connections with this peer.
    fn with(&self, peer: EndpointId) -> Vec<Connection> {
        let mut open = self.open();
        open.retain(|connection| connection.remote_id() == peer);
        open
    }

    /// Those that are open.
    pub(super) fn open(&self) -> Vec<Connection> {
        let connections = self.lock();
        let alive = connections.handles.iter().filter_map(WeakConnectionHandle::upgrade);
        alive.filter(|connection| connection.close_reason().is_none()).collect()
    }

    fn lock(&self) -> MutexGuard<'_, Connections> {
        self.0.lock()
    }
}

impl fmt::Debug for Known {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Known").field("handles", &self.lock().handles.len()).finish()
    }
}
