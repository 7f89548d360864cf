use std::{collections::VecDeque, sync::Arc};

use bytes::Bytes;
use parking_lot::{Mutex, MutexGuard};
use tokio::sync::watch;

/// A change of the store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// A key was written.
    Written {
        /// The key.
        key: String,
        /// Its value; `None` where it was taken out.
        value: Option<Bytes>,
        /// The revision of the store since then.
        revision: u64,
    },
    /// The whole store was replaced by what another node sent: anything may have changed.
    Replaced,
}

impl Change {
    /// How much memory it takes, in bytes.
    fn weight(&self) -> usize {
        let held = match self {
            Self::Written { key, value, .. } => key.len() + value.as_ref().map_or(0, Bytes::len),
            Self::Replaced => 0,
        };
        size_of::<Self>() + held
    }
}

/// How many bytes of changes wait for slow watchers at most, for all watchers together.
const BEHIND: usize = 16 << 20;

/// The latest changes, for watchers: as many as weigh [`BEHIND`]; none without a watcher.
#[derive(Debug)]
pub(super) struct Latest {
    ring: Arc<Mutex<Ring>>,
    /// How many changes there have been.
    count: watch::Sender<u64>,
}

#[derive(Debug, Default)]
struct Ring {
    changes: VecDeque<Change>,
    weight: usize,
    /// How many changes there have been before the first of these.
    gone: u64,
}

impl Latest {
    pub(super) fn new() -> Self {
        Self { ring: Arc::default(), count: watch::Sender::new(0) }
    }

    /// Tells those who watch.
    pub(super) fn push(&self, change: Change) {
        let mut ring = lock(&self.ring);
        ring.weight += change.weight();
        ring.changes.push_back(change);
        let most = if self.count.receiver_count() > 0 { BEHIND } else { 0 };
        while ring.weight > most && (ring.changes.len() > 1 || most == 0) {
            let Some(oldest) = ring.changes.pop_front() else { break };
            ring.weight -= oldest.weight();
            ring.gone += 1;
        }
        self.count.send_replace(ring.count());
    }

    /// The changes from now on.
    pub(super) fn watch(&self) -> Changes {
        let ring = lock(&self.ring);
        Changes { ring: self.ring.clone(), count: self.count.subscribe(), seen: ring.count() }
    }
}

impl Ring {
    fn count(&self) -> u64 {
        self.gone + self.changes.len() as u64
    }
}

/// The changes of the store, in their order, for one watcher.
#[derive(Debug)]
pub struct Changes {
    ring: Arc<Mutex<Ring>>,
    count: watch::Receiver<u64>,
    seen: u64,
}

/// So many changes have been missed: the watcher was too slow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Missed(pub u64);

impl Changes {
    /// The next change; `None` once the store is closed.
    ///
    /// # Errors
    /// When the watcher fell behind by more than is kept in memory. The next call returns the oldest change that is left.
    ///
    /// # Cancel safety
    /// Safe: a dropped call takes no change.
    pub async fn next(&mut self) -> Result<Option<Change>, Missed> {
        loop {
            self.count.borrow_and_update();
            if let Some(next) = self.take()? {
                return Ok(Some(next));
            }
            if self.count.changed().await.is_err() {
                // What came last may have come since.
                return self.take();
            }
        }
    }

    fn take(&mut self) -> Result<Option<Change>, Missed> {
        let ring = lock(&self.ring);
        let Some(place) = self.seen.checked_sub(ring.gone) else {
            let missed = ring.gone - self.seen;
            self.seen = ring.gone;
            return Err(Missed(missed));
        };
        let next = usize::try_from(place).ok().and_then(|place| ring.changes.get(place)).cloned();
        self.seen += u64::from(next.is_some());
        Ok(next)
    }
}

fn lock(ring: &Mutex<Ring>) -> MutexGuard<'_, Ring> {
    ring.lock()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(revision: u64, length: usize) -> Change {
        Change::Written { key: "key".to_owned(), value: Some(vec![0; length].into()), revision }
    }

    #[tokio::test]
    async fn a_watcher_is_told_every_change_once_and_that_there_will_be_no_more() {
        let latest = Latest::new();
        latest.push(written(1, 1));
        let mut changes = latest.watch();
        latest.push(written(2, 1));
        latest.push(written(3, 1));
        assert_eq!(changes.next().await, Ok(Some(written(2, 1))));
        drop(latest);
        assert_eq!(changes.next().await, Ok(Some(written(3, 1))));
        assert_eq!(changes.next().await, Ok(None));
    }

    #[tokio::test]
    async fn a_watcher_that_stands_still_holds_so_many_bytes_and_is_told_what_it_missed() {
        const VALUE: usize = 1 << 20;
        let latest = Latest::new();
        let mut changes = latest.watch();
        for revision in 1..=4_096 {
            latest.push(written(revision, VALUE));
        }
        assert!(lock(&latest.ring).weight <= BEHIND);
        let held = lock(&latest.ring).changes.len() as u64;
        assert_eq!(held, (BEHIND / VALUE) as u64 - 1, "what else a change takes counts too");
        assert_eq!(changes.next().await, Err(Missed(4_096 - held)));
        assert_eq!(changes.next().await, Ok(Some(written(4_096 - held + 1, VALUE))));
    }

    #[tokio::test]
    async fn a_change_larger_than_the_bound_is_told_and_without_a_watcher_nothing_is_held() {
        let latest = Latest::new();
        let mut changes = latest.watch();
        latest.push(written(1, BEHIND));
        assert_eq!(changes.next().await, Ok(Some(written(1, BEHIND))));
        drop(changes);
        latest.push(written(2, 1));
        assert!(lock(&latest.ring).changes.is_empty());
    }
}
