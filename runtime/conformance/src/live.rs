use std::{fmt, sync::Arc, time::Duration};

use bytes::Bytes;
use tokio::sync::watch;

use super::check::Stop;

/// How many there are of something that tells of its end.
#[derive(Clone, Default)]
pub(super) struct Live(Arc<watch::Sender<Count>>);

#[derive(Clone, Copy, Default)]
struct Count {
    now: usize,
    ever: usize,
}

/// One of them.
pub(super) struct Guard(Live);

impl Live {
    /// One more, for as long as the guard is there.
    pub(super) fn guard(&self) -> Guard {
        self.0.send_modify(|count| {
            count.now += 1;
            count.ever += 1;
        });
        Guard(self.clone())
    }

    /// How many there have been.
    pub(super) fn ever(&self) -> usize {
        self.0.borrow().ever
    }

    /// Waits until there have been this many more than there had been when this was called, whatever has become
    /// of them.
    #[track_caller]
    pub(super) fn more(
        &self,
        count: usize,
        limit: Duration,
        what: &'static str,
    ) -> impl Future<Output = Result<(), Stop>> + use<> {
        let mut changes = self.0.subscribe();
        let (before, place) = (self.ever(), std::panic::Location::caller());
        async move {
            let reached = changes.wait_for(|found| found.ever >= before + count);
            if tokio::time::timeout(limit, reached).await.is_ok() {
                return Ok(());
            }
            let found = changes.borrow().ever - before;
            Err(Stop::at(place, format_args!("expected {count} more {what} within {limit:?}, found {found}")))
        }
    }

    /// Bytes that are counted until the last handle to them is gone.
    pub(super) fn bytes(&self, bytes: Vec<u8>) -> Bytes {
        Bytes::from_owner(Counted { bytes, _guard: self.guard() })
    }

    /// Waits until there are just as many.
    #[track_caller]
    pub(super) fn reach(
        &self,
        count: usize,
        limit: Duration,
        what: &'static str,
    ) -> impl Future<Output = Result<(), Stop>> + use<> {
        let mut changes = self.0.subscribe();
        let place = std::panic::Location::caller();
        async move {
            let reached =
                tokio::time::timeout(limit, changes.wait_for(|found| found.now == count)).await.is_ok();
            if reached {
                return Ok(());
            }
            let now = changes.borrow().now;
            Err(Stop::at(place, format_args!("expected {count} {what} within {limit:?}, found {now}")))
        }
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        self.0.0.send_modify(|count| count.now -= 1);
    }
}

impl fmt::Debug for Guard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Guard")
    }
}

struct Counted {
    bytes: Vec<u8>,
    _guard: Guard,
}

impl AsRef<[u8]> for Counted {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}
