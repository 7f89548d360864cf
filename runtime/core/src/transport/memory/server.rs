use std::{fmt, sync::Arc};

use tokio::sync::{Semaphore, watch};

use crate::{
    Drain, Limits, Phase, Status,
    transport::{ConnectionGauge, Inbound, Serving, gauge::Counted},
};

/// What answers under a name.
pub(super) struct Server {
    pub(super) inbound: Inbound,
    pub(super) max_concurrent_calls: usize,
    drain: Drain,
    gauge: Option<Arc<dyn ConnectionGauge>>,
    in_flight: watch::Sender<usize>,
    /// Cut when nothing may go on.
    over: Drain,
}

impl Server {
    pub(super) fn new(serving: Serving, limits: Limits, max_concurrent_calls: usize) -> Self {
        Self {
            inbound: Inbound::from(&serving).limits(limits),
            max_concurrent_calls: max_concurrent_calls.min(Semaphore::MAX_PERMITS),
            drain: serving.drain,
            gauge: serving.connections,
            in_flight: watch::Sender::new(0),
            over: Drain::new(),
        }
    }

    /// One more channel, counted for as long as what is returned lives.
    pub(super) fn connected(&self) -> Counted {
        Counted::new(self.gauge.clone())
    }

    /// One more call, unless the server is stopping.
    pub(super) fn enter(self: &Arc<Self>) -> Result<InFlight, Status> {
        let entered = InFlight::new(self.clone());
        // Counted first: a drain that begins right now waits for it.
        if self.is_serving() {
            return Ok(entered);
        }
        Err(Status::unavailable("the peer is shutting down").not_processed())
    }

    /// Whether it takes calls.
    pub(super) fn is_serving(&self) -> bool {
        self.drain.phase() == Phase::Serving && !self.is_over()
    }

    /// Whether it will never answer again.
    fn is_over(&self) -> bool {
        self.over.phase() == Phase::Cut
    }

    /// Returns when no call is in flight.
    pub(super) async fn idle(&self) {
        // An error would mean that the sender is gone, and `self` holds it.
        let _ = self.in_flight.subscribe().wait_for(|calls| *calls == 0).await;
    }

    /// Ends every call that is left.
    pub(super) fn end(&self) {
        self.over.cut();
    }

    /// What the work comes to, unless it is cut.
    pub(super) async fn unless_cut<T>(
        &self,
        idempotent: bool,
        work: impl Future<Output = Result<T, Status>>,
    ) -> Result<T, Status> {
        tokio::select! {
            biased;
            outcome = work => outcome,
            () = self.over.cutting() => Err(gone(idempotent)),
        }
    }
}

/// What a call ends with that was under way when its server ended.
pub(super) fn gone(idempotent: bool) -> Status {
    Status::unavailable("the peer has shut down").maybe_executed(idempotent)
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server").field("calls", &*self.in_flight.borrow()).finish_non_exhaustive()
    }
}

/// One call, counted for as long as this lives.
pub(super) struct InFlight(Arc<Server>);

impl InFlight {
    fn new(server: Arc<Server>) -> Self {
        server.in_flight.send_modify(|calls| *calls += 1);
        Self(server)
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.in_flight.send_modify(|calls| *calls -= 1);
    }
}
