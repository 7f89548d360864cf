use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use parking_lot::Mutex;
use polywire::{Code, Status};
use tokio::time::Instant;

/// Why a message is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::raft) struct Refusal {
    code: Code,
    problem: String,
}

impl Refusal {
    /// The message contradicts itself.
    pub(super) fn malformed(problem: impl Into<String>) -> Self {
        Self { code: Code::InvalidArgument, problem: problem.into() }
    }

    /// The sender may not say that.
    pub(super) fn denied(problem: impl Into<String>) -> Self {
        Self { code: Code::PermissionDenied, problem: problem.into() }
    }

    /// The message contradicts what this node has.
    pub(super) fn contradicts(problem: impl Into<String>) -> Self {
        Self { code: Code::FailedPrecondition, problem: problem.into() }
    }

    /// It cannot be checked yet.
    pub(super) fn busy(problem: impl Into<String>) -> Self {
        Self { code: Code::Unavailable, problem: problem.into() }
    }

    pub(super) fn into_status(self) -> Status {
        Status::new(self.code, self.problem).not_processed()
    }
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.problem)
    }
}

impl std::error::Error for Refusal {}

/// Counts refused messages and logs them. Clones share the count.
#[derive(Clone, Debug, Default)]
pub(in crate::raft) struct Refusals(Arc<Tally>);

#[derive(Debug, Default)]
struct Tally {
    count: AtomicU64,
    /// When one was logged last, and how many there were since.
    logged: Mutex<Option<(Instant, u64)>>,
}

/// One refusal is logged in so long: a faulty member sends thousands in a second.
const LOGGED: Duration = Duration::from_secs(5);

impl Refusals {
    /// How many there were since this was asked last.
    pub(super) fn take(&self) -> u64 {
        self.0.count.swap(0, Ordering::Relaxed)
    }

    /// Notes that a message of this member is refused. What cannot be checked yet is no fault.
    pub(super) fn note(&self, what: &str, member: u64, refusal: Refusal) -> Refusal {
        if refusal.code == Code::Unavailable {
            return refusal;
        }
        self.0.count.fetch_add(1, Ordering::Relaxed);
        let mut logged = self.0.logged.lock();
        match &mut *logged {
            Some((at, unlogged)) if at.elapsed() < LOGGED => *unlogged += 1,
            before => {
                let unlogged = before.map_or(0, |(_, unlogged)| unlogged);
                tracing::warn!(member, problem = %refusal, unlogged, "{what} of a member is refused");
                *before = Some((Instant::now(), 0));
            }
        }
        refusal
    }
}
