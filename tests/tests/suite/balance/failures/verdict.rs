//! Whether a caller was told the truth.

use std::{collections::BTreeMap, time::Duration};

use polywire::{Code, Status};
use polywire_tests::ledger::AS_ORDERED;

use super::caller::{By, Told};

/// What callers were told, by the kind of it, and how often that was of an order that was executed.
#[derive(Debug, Default)]
pub(super) struct Verdicts {
    kinds: BTreeMap<Kind, [usize; 2]>,
    /// How many failed of those that were made by each method.
    failed: BTreeMap<By, usize>,
    /// How many calls ended more than [`SOON`] behind their deadline.
    late: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    /// It was done.
    Done,
    /// It was not done, and can be ordered again.
    NotProcessed,
    /// It may have been done.
    Maybe,
    /// The handler says that it failed.
    Failed,
}

/// How long behind its deadline a call ends at most.
const SOON: Duration = Duration::from_millis(100);

/// The machine may be busy with other things for a moment.
const AT_LAST: Duration = Duration::from_secs(1);

impl Verdicts {
    /// Judges what was told of an order that was executed so many times.
    pub(super) fn judge(&mut self, told: &Told, times: u32) {
        assert!(times <= 1, "executed {times} times: {told:?}");
        let kind = Kind::of(&told.outcome);
        match kind {
            Kind::Done | Kind::Failed => assert_eq!(times, 1, "it was executed: {told:?}"),
            Kind::NotProcessed => assert_eq!(times, 0, "no handler saw it: {told:?}"),
            Kind::Maybe => {}
        }
        assert!(told.took <= told.timeout + AT_LAST, "{told:?}");
        self.late += usize::from(told.took > told.timeout + SOON);
        self.kinds.entry(kind).or_default()[times as usize] += 1;
        *self.failed.entry(told.by).or_default() += usize::from(told.outcome.is_err());
    }

    /// How many were told this of an order that was executed so many times.
    pub(super) fn count(&self, kind: Kind, times: usize) -> usize {
        self.kinds.get(&kind).map_or(0, |counts| counts[times])
    }

    /// How many failed that were made by this method.
    pub(super) fn failed(&self, by: By) -> usize {
        self.failed.get(&by).copied().unwrap_or(0)
    }

    /// Calls end in time, but for a few that the machine had no time for.
    pub(super) fn assert_in_time(&self) {
        let all: usize = self.kinds.values().flatten().sum();
        assert!(self.late * 100 <= all, "{} of {all} calls ended late", self.late);
    }
}

impl Kind {
    fn of(outcome: &Result<(), Status>) -> Self {
        let Err(status) = outcome else { return Self::Done };
        let as_ordered = match status.code() {
            Code::FailedPrecondition => status.message() == AS_ORDERED,
            Code::Internal => status.message() == "the handler panicked",
            _ => false,
        };
        match status.code() {
            _ if status.is_not_processed() => Self::NotProcessed,
            _ if as_ordered => Self::Failed,
            Code::Unavailable | Code::DeadlineExceeded
                if status.message().ends_with("the call may have been executed") =>
            {
                Self::Maybe
            }
            _ => panic!("neither what the handler says nor what may have happened: {status:?}"),
        }
    }
}
