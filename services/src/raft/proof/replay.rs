use std::collections::HashMap;

use parking_lot::Mutex;

use crate::raft::key::Key;

/// Which proofs were taken already. Each is taken once.
///
/// A sender numbers its proofs. For each of its runs there is the highest number taken and a bit for each of the
/// [`WINDOW`] numbers below it (RFC 4303, section 3.4.3), so that the memory for a run has a bound. A run is forgotten
/// once its last proof is too old to be taken anyway.
#[derive(Debug, Default)]
pub(in crate::raft) struct Replays(Mutex<HashMap<(Key, u64), Run>>);

/// How many numbers behind the highest one are told apart: how far calls may overtake one another.
const WINDOW: u64 = 8192;

/// How many runs are known at a time. A cluster has a few dozen members, each with a run or two in the time that proofs
/// are valid.
const RUNS: usize = 1024;

/// How many of them one sender may have.
const RUNS_OF_ONE: usize = 8;

#[derive(Debug)]
struct Run {
    highest: u64,
    /// A bit for each number, by its remainder.
    taken: Box<[u64]>,
    /// When its youngest proof was made, in milliseconds.
    last_ms: u64,
}

/// Why a proof is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refused {
    /// It was taken already, or is behind so many others that this is not known.
    Seen,
    /// There are too many senders.
    Full,
}

impl Replays {
    /// Takes the proof with this number. Proofs made before `oldest_ms` are not taken anyway.
    pub(super) fn take(
        &self,
        sender: Key,
        session: u64,
        number: u64,
        made_ms: u64,
        oldest_ms: u64,
    ) -> Result<(), Refused> {
        let mut runs = self.0.lock();
        if let Some(run) = runs.get_mut(&(sender, session)) {
            return run.take(number, made_ms);
        }
        if runs.len() >= RUNS || runs.keys().filter(|(key, _)| *key == sender).count() >= RUNS_OF_ONE {
            runs.retain(|_, run| run.last_ms >= oldest_ms);
            if runs.len() >= RUNS || runs.keys().filter(|(key, _)| *key == sender).count() >= RUNS_OF_ONE {
                return Err(Refused::Full);
            }
        }
        let mut run = Run { highest: number, taken: vec![0; Run::WORDS].into(), last_ms: made_ms };
        run.set(number);
        runs.insert((sender, session), run);
        Ok(())
    }
}

impl Run {
    const WORDS: usize = (WINDOW / 64) as usize;

    fn take(&mut self, number: u64, made_ms: u64) -> Result<(), Refused> {
        if number > self.highest {
            let skipped = (self.highest + 1..number).take(WINDOW as usize);
            for number in skipped {
                self.clear(number);
            }
            self.highest = number;
        } else if self.highest - number >= WINDOW || self.is_set(number) {
            return Err(Refused::Seen);
        }
        self.set(number);
        self.last_ms = self.last_ms.max(made_ms);
        Ok(())
    }

    fn place(number: u64) -> (usize, u64) {
        let bit = number % WINDOW;
        ((bit / 64) as usize, 1 << (bit % 64))
    }

    fn is_set(&self, number: u64) -> bool {
        let (word, bit) = Self::place(number);
        self.taken[word] & bit != 0
    }

    fn set(&mut self, number: u64) {
        let (word, bit) = Self::place(number);
        self.taken[word] |= bit;
    }

    fn clear(&mut self, number: u64) {
        let (word, bit) = Self::place(number);
        self.taken[word] &= !bit;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SENDER: Key = [1; 32];

    #[test]
    fn a_number_is_taken_once() {
        let replays = Replays::default();
        let take = |number| replays.take(SENDER, 1, number, 0, 0);
        for number in [5, 3, 4, 20_000, 19_999, 20_000 - WINDOW + 1] {
            assert_eq!(take(number), Ok(()), "{number}");
            assert_eq!(take(number), Err(Refused::Seen), "{number}");
        }
        assert_eq!(take(20_000 - WINDOW), Err(Refused::Seen), "it may have been taken");
        assert_eq!(replays.take(SENDER, 2, 5, 0, 0), Ok(()), "another run");
        assert_eq!(replays.take([2; 32], 1, 5, 0, 0), Ok(()), "another sender");
    }

    #[test]
    fn runs_are_forgotten_once_their_proofs_are_too_old_and_not_before() {
        let replays = Replays::default();
        for run in 0..RUNS_OF_ONE as u64 {
            replays.take(SENDER, run, 0, 10, 0).unwrap();
        }
        assert_eq!(replays.take(SENDER, 99, 0, 10, 10), Err(Refused::Full));
        assert_eq!(replays.take(SENDER, 99, 0, 11, 11), Ok(()));
        assert_eq!(replays.0.lock().len(), 1);
    }

    #[test]
    fn the_memory_for_senders_has_a_bound() {
        let replays = Replays::default();
        let sender = |number: usize| {
            let mut key = [0; 32];
            key[..8].copy_from_slice(&number.to_be_bytes());
            key
        };
        let taken = (0..2 * RUNS).filter(|number| replays.take(sender(*number), 0, 0, 10, 0).is_ok()).count();
        assert_eq!(taken, RUNS);
    }

    proptest! {
        #[test]
        fn no_order_lets_a_number_in_twice(numbers in proptest::collection::vec(0..3 * WINDOW, 1..400)) {
            let replays = Replays::default();
            let mut taken = std::collections::HashSet::new();
            for number in numbers {
                if replays.take(SENDER, 0, number, 0, 0).is_ok() {
                    prop_assert!(taken.insert(number));
                }
            }
        }
    }
}
