//! What clients asked for and got, and whether that can have happened one after the other.

use std::{
    collections::HashSet,
    time::{Duration, Instant},
};

use porcupine_rs::{CheckResult, Model, Operation, check_operations_timeout};

/// A register: what it holds is what was put last.
#[derive(Clone, Debug)]
pub(super) struct Register;

#[derive(Clone, Debug)]
pub(super) enum Step {
    Put(u64),
    Get(Option<u64>),
}

impl Model for Register {
    type State = Option<u64>;
    type Op = Step;
    type Metadata = ();

    fn init() -> Option<u64> {
        None
    }

    fn step(state: &Option<u64>, step: &Step) -> (bool, Option<u64>) {
        match step {
            Step::Put(value) => (true, Some(*value)),
            Step::Get(value) => (value == state, *state),
        }
    }
}

/// The steps that were taken with one register.
#[derive(Clone, Debug)]
pub(super) struct History {
    begun: Instant,
    pub(super) steps: Vec<Operation<Register>>,
}

impl History {
    pub(super) fn new(begun: Instant) -> Self {
        Self { begun, steps: Vec::new() }
    }

    /// A step that began then and has ended now; a step of unknown outcome has no end.
    pub(super) fn add(&mut self, client: u32, called: Instant, step: Step, ended: bool) {
        let since = |at: Instant| i64::try_from(at.duration_since(self.begun).as_nanos()).unwrap();
        self.steps.push(Operation {
            client_id: Some(client),
            call_time: since(called),
            return_time: if ended { since(Instant::now()) } else { i64::MAX },
            op: step,
            metadata: None,
        });
    }

    /// # Panics
    /// When no order explains it.
    pub(super) fn assert_linearizable(&self) {
        let steps = self.that_matter();
        let result = check_operations_timeout(&steps, Duration::from_secs(20));
        let shown = || steps.iter().map(|step| format!("{step:?}\n")).collect::<String>();
        assert_eq!(result, CheckResult::Ok, "{} steps:\n{}", steps.len(), shown());
    }

    /// All but the writes of unknown outcome that no step has read: they may as well
    /// have happened behind everything else, and each of them doubles the work of the check.
    fn that_matter(&self) -> Vec<Operation<Register>> {
        let read: HashSet<u64> = self
            .steps
            .iter()
            .filter_map(|step| match step.op {
                Step::Get(value) => value,
                Step::Put(_) => None,
            })
            .collect();
        let matters = |step: &&Operation<Register>| match step.op {
            Step::Put(value) => step.return_time < i64::MAX || read.contains(&value),
            Step::Get(_) => true,
        };
        self.steps.iter().filter(matters).cloned().collect()
    }
}

#[test]
fn the_check_finds_a_read_of_what_was_overwritten() {
    let step = |call_time, return_time, op| Operation::<Register> {
        client_id: Some(0),
        call_time,
        return_time,
        op,
        metadata: None,
    };
    let lost = step(0, i64::MAX, Step::Put(3));
    let good = [step(0, 1, Step::Put(1)), step(2, 5, Step::Put(2)), step(3, 4, Step::Get(Some(1)))];
    let bad = [step(0, 1, Step::Put(1)), step(2, 3, Step::Put(2)), step(4, 5, Step::Get(Some(1)))];
    let check = |steps| History { begun: Instant::now(), steps }.assert_linearizable();
    let refused = |steps| std::panic::catch_unwind(|| check(steps)).is_err();
    check(good.to_vec());
    assert!(refused(bad.to_vec()));
    // A write that may have happened explains that it is read, and nothing else.
    let with = |read| [&good[..], &[lost.clone(), step(6, 7, Step::Get(Some(read)))]].concat();
    check(with(3));
    check(with(2));
    assert!(refused(with(1)));
}
