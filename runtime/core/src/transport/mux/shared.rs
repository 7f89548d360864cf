use tokio::sync::{Notify, Semaphore, watch};

use super::{
    error::MuxError,
    preface::Settings,
    state::{Effects, MuxState},
};

use crate::sync::Mutex;

/// What the handles of a connection, its streams and its driver share.
pub(super) struct MuxShared {
    state: Mutex<MuxState>,
    /// There is something to write.
    pub(super) work: Notify,
    /// A stream waits to be accepted, or none ever will.
    pub(super) arrivals: Notify,
    /// How many streams more the peer lets this side open.
    pub(super) slots: Semaphore,
    /// Why the connection is over.
    pub(super) over: watch::Sender<Option<MuxError>>,
}

impl MuxShared {
    pub(super) fn new(is_client: bool, ours: Settings, theirs: Settings) -> Self {
        let slots = usize::try_from(theirs.max_streams).unwrap_or(usize::MAX);
        Self {
            state: Mutex::new(MuxState::new(is_client, ours, theirs)),
            work: Notify::new(),
            arrivals: Notify::new(),
            slots: Semaphore::new(slots.min(Semaphore::MAX_PERMITS)),
            over: watch::Sender::new(None),
        }
    }

    /// Changes the state. Tasks that the change wakes find the lock free.
    pub(super) fn with<T>(&self, change: impl FnOnce(&mut MuxState) -> T) -> T {
        let mut state = self.state.lock();
        let outcome = change(&mut state);
        let effects = std::mem::take(&mut state.effects);
        drop(state);
        self.apply(effects);
        outcome
    }

    fn apply(&self, effects: Effects) {
        if effects.work {
            self.work.notify_one();
        }
        if effects.slots > 0 {
            self.slots.add_permits(effects.slots);
        }
        for _ in 0..effects.arrived {
            self.arrivals.notify_one();
        }
        for waker in effects.wakers {
            waker.wake();
        }
    }

    /// Ends the connection for all of its streams. The first reason stays.
    pub(super) fn end(&self, error: MuxError) {
        self.with(|state| state.end(error.clone()));
        self.over.send_if_modified(|over| {
            let is_first = over.is_none();
            over.get_or_insert(error);
            is_first
        });
        self.slots.close();
        self.arrivals.notify_waiters();
    }
}
