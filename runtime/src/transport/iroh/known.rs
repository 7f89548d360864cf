use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use ::iroh::endpoint::{Connection, WeakConnectionHandle};

/// The connections of an endpoint, for those who want to know which ways they take; it keeps none of them open.
/// Clones share them.
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
    /// Remembers this one for as long as somebody has it.
    pub(super) fn add(&self, connection: &Connection) {
        let mut connections = self.lock();
        if connections.handles.len() >= connections.crowded.max(FEW) {
            connections.handles.retain(|handle| handle.upgrade().is_some());
            connections.crowded = connections.handles.len() * 2;
        }
        connections.handles.push(connection.weak_handle());
    }

    /// Those that are open.
    #[cfg(feature = "node")]
    pub(super) fn open(&self) -> Vec<Connection> {
        let connections = self.lock();
        let alive = connections.handles.iter().filter_map(WeakConnectionHandle::upgrade);
        alive.filter(|connection| connection.close_reason().is_none()).collect()
    }

    fn lock(&self) -> MutexGuard<'_, Connections> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Known {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Known").field("handles", &self.lock().handles.len()).finish()
    }
}
