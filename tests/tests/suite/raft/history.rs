//! What clients asked for and got, and whether that can have happened one after the other.

use std::time::{Duration, Instant};

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

    /// A step that began then and has ended now; one of which nobody knows whether it happened has no end.
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
        let result = check_operations_timeout(&self.steps, Duration::from_secs(20));
        assert_eq!(result, CheckResult::Ok, "{} steps: {:#?}", self.steps.len(), self.steps);
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
    let good = [step(0, 1, Step::Put(1)), step(2, 5, Step::Put(2)), step(3, 4, Step::Get(Some(1)))];
    let bad = [step(0, 1, Step::Put(1)), step(2, 3, Step::Put(2)), step(4, 5, Step::Get(Some(1)))];
    let check = |steps| History { begun: Instant::now(), steps }.assert_linearizable();
    check(good.to_vec());
    assert!(std::panic::catch_unwind(|| check(bad.to_vec())).is_err());
}
