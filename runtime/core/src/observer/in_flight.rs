use std::sync::Arc;

use tokio::time::Instant;

use super::CallObserver;
use crate::{Code, deadline};

/// A call that has started.
///
/// It is counted exactly once: by [`finish`](Self::finish), or as `CANCELLED` when this is dropped before, since a call
/// that is given up is a dropped future; as `DEADLINE_EXCEEDED` when its deadline has passed by then.
#[derive(Debug)]
#[must_use = "dropping it counts the call as cancelled"]
pub struct InFlight {
    call: Arc<dyn CallObserver>,
    started: Instant,
    deadline: Option<Instant>,
    code: Option<Code>,
}

impl InFlight {
    /// A call that starts now, and its deadline.
    pub fn start(call: Arc<dyn CallObserver>, deadline: Option<Instant>) -> Self {
        call.started();
        Self { call, started: Instant::now(), deadline, code: None }
    }

    /// The call ended with this code.
    pub fn finish(mut self, code: Code) {
        self.code = Some(code);
    }

    /// The method's observer, to count messages on.
    pub fn call(&self) -> &Arc<dyn CallObserver> {
        &self.call
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        let given_up = || match deadline::is_reached(self.deadline) {
            true => Code::DeadlineExceeded,
            false => Code::Cancelled,
        };
        self.call.ended(self.code.unwrap_or_else(given_up), self.started.elapsed());
    }
}
