use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// How many of the process's file descriptors connections of clients may take: all but those that it has already, and a
/// reserve for what must go on when clients have taken theirs. Clones share them.
#[derive(Clone, Debug)]
pub struct Descriptors {
    free: Arc<Semaphore>,
    reserve: usize,
}

/// One descriptor, for as long as this is there.
pub type Place = OwnedSemaphorePermit;

/// What of the limit is kept: an eighth, but no fewer than some probes, the connections to the members of a small cluster
/// and the files of the store take, and no more than any node needs.
const SHARE: usize = 8;
const LEAST: usize = 16;
const MOST: usize = 256;

/// How many connections there may be whatever the limit: with none, the node would serve nothing.
const CONNECTIONS: usize = 4;

impl Descriptors {
    /// What a process with this limit leaves for connections, which has so many descriptors open now. `None` is no limit.
    pub fn within(limit: Option<usize>, open: usize) -> Self {
        let limit = limit.unwrap_or(Semaphore::MAX_PERMITS);
        let reserve = (limit / SHARE).clamp(LEAST, MOST);
        let free = limit.saturating_sub(open).saturating_sub(reserve);
        let free = free.clamp(CONNECTIONS, Semaphore::MAX_PERMITS);
        Self { free: Arc::new(Semaphore::new(free)), reserve }
    }

    /// Room for one more connection, once there is some.
    ///
    /// # Cancel safety
    /// Safe; the place in the queue is lost.
    pub async fn place(&self) -> Option<Place> {
        // It is never closed.
        self.free.clone().acquire_owned().await.ok()
    }

    /// Room for one more connection, where there is some now.
    pub(crate) fn try_place(&self) -> Option<Place> {
        self.free.clone().try_acquire_owned().ok()
    }

    /// How many connections there is room for now.
    pub fn free(&self) -> usize {
        self.free.available_permits()
    }

    /// How many connections the node's HTTP side may have: half of the reserve, so that its crowd takes nothing from the
    /// members of a cluster and the disk.
    pub fn for_probes(&self) -> usize {
        self.reserve / 2
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_leave_a_reserve_of_every_limit() {
        let of = |limit, open| {
            let descriptors = Descriptors::within(Some(limit), open);
            (descriptors.free(), descriptors.reserve)
        };
        assert_eq!(of(1_024, 40), (1_024 - 40 - 128, 128));
        assert_eq!(of(64, 30), (64 - 30 - 16, 16));
        assert_eq!(of(1 << 20, 40), ((1 << 20) - 40 - 256, 256));
        assert_eq!(of(32, 40), (CONNECTIONS, 16));
    }

    #[tokio::test]
    async fn a_place_is_free_again_when_its_connection_has_ended() {
        let descriptors = Descriptors::within(Some(64), 44);
        let places = Vec::from_iter((0..4).map(|_| descriptors.try_place().unwrap()));
        assert!(descriptors.try_place().is_none());
        let waiting = tokio::spawn({
            let descriptors = descriptors.clone();
            async move { descriptors.place().await.is_some() }
        });
        drop(places);
        assert!(waiting.await.unwrap());
    }
}
