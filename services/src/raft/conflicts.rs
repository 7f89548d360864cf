use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use parking_lot::{Mutex, MutexGuard};
use tokio::time::Instant;

/// Members of which a second process was refused recently.
#[derive(Debug, Default)]
pub(super) struct Conflicts(Mutex<BTreeMap<u64, (Instant, String)>>);

/// How long such a process may be silent before it counts as gone: it tries again every two seconds.
const GONE: Duration = Duration::from_secs(10);

impl Conflicts {
    pub(super) fn note(&self, id: u64, problem: &str) {
        let before = self.lock().insert(id, (Instant::now(), problem.to_owned()));
        if before.is_none_or(|(_, before)| before != problem) {
            tracing::warn!(member = id, problem, "a second process of a member is refused");
        }
    }

    /// The recent refusals, by the claimed member id.
    pub(super) fn lately(&self) -> Vec<(u64, String)> {
        let mut conflicts = self.lock();
        conflicts.retain(|_, (at, _)| at.elapsed() < GONE);
        conflicts.iter().map(|(id, (_, problem))| (*id, problem.clone())).collect()
    }

    /// The recent refusals as one text, for people.
    pub(super) fn text(&self) -> Option<String> {
        let problems: BTreeSet<_> = self.lately().into_iter().map(|(_, problem)| problem).collect();
        (!problems.is_empty()).then(|| Vec::from_iter(problems).join("; "))
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<u64, (Instant, String)>> {
        self.0.lock()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_second_process_is_told_of_for_as_long_as_it_tries() {
        let conflicts = Conflicts::default();
        assert_eq!(conflicts.text(), None);
        for _ in 0..8 {
            conflicts.note(1, "a copy runs at b");
            tokio::time::advance(Duration::from_secs(2)).await;
        }
        conflicts.note(2, "a copy runs at c");
        assert_eq!(conflicts.text().unwrap(), "a copy runs at b; a copy runs at c");
        tokio::time::advance(Duration::from_secs(9)).await;
        assert_eq!(conflicts.lately(), [(2, "a copy runs at c".to_owned())]);
        tokio::time::advance(Duration::from_secs(1)).await;
        assert_eq!(conflicts.text(), None);
    }
}
