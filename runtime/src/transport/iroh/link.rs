use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use ::iroh::{EndpointAddr, endpoint::Connection};
use arc_swap::ArcSwapOption;
use futures_util::{FutureExt, future::Shared};

use super::dial::Dial;
use crate::{Status, service::BoxFuture, transport::framed::Batched};

/// The way to one peer over one choice of ALPNs: its connection while there is one, and the dial under way
/// while one is being made.
pub(super) struct Link {
    dial: Dial,
    current: ArcSwapOption<Batched<Connection>>,
    state: Mutex<State>,
}

struct State {
    address: EndpointAddr,
    dialling: Option<Dialling>,
}

/// A dial that any number of calls wait for; they share its failure too.
type Dialling = Shared<BoxFuture<Result<Arc<Batched<Connection>>, Status>>>;

impl Link {
    pub(super) fn new(dial: Dial, address: EndpointAddr) -> Self {
        Self { dial, current: ArcSwapOption::empty(), state: Mutex::new(State { address, dialling: None }) }
    }

    /// What the peer's addresses are now, for the next dial. An id alone says nothing of them.
    pub(super) fn learn(&self, address: EndpointAddr) {
        if !address.is_empty() {
            self.state().address = address;
        }
    }

    /// The connection: the one that was made last, unless it is the `stale` one, or a new one. Whether it
    /// still lives shows when it is used: asking, like copying it, would cost every call its lock.
    pub(super) async fn connection(
        self: &Arc<Self>,
        stale: Option<usize>,
    ) -> Result<Arc<Batched<Connection>>, Status> {
        match self.current(stale) {
            Some(connection) => Ok(connection),
            // Boxed, so that the rare case does not make every call's future larger.
            None => Box::pin(self.dialled(stale)).await,
        }
    }

    async fn dialled(self: &Arc<Self>, stale: Option<usize>) -> Result<Arc<Batched<Connection>>, Status> {
        let dialling = {
            let mut state = self.state();
            match (&state.dialling, self.current(stale)) {
                (_, Some(connection)) => return Ok(connection),
                (Some(dialling), None) => dialling.clone(),
                (None, None) => {
                    let dialling = self.clone().start(state.address.clone());
                    state.dialling.insert(dialling).clone()
                }
            }
        };
        dialling.await
    }

    fn current(&self, stale: Option<usize>) -> Option<Arc<Batched<Connection>>> {
        self.current.load_full().filter(|connection| stale != Some(connection.get().stable_id()))
    }

    /// Dials in a task of its own: the first of the waiting calls may give up, the others still wait.
    fn start(self: Arc<Self>, address: EndpointAddr) -> Dialling {
        let link = self.clone();
        let task = tokio::spawn(async move {
            let outcome =
                self.dial.connect(address).await.map(|connection| Arc::new(Batched::new(connection)));
            let mut state = self.state();
            state.dialling = None;
            if let Ok(connection) = &outcome {
                self.current.store(Some(connection.clone()));
            }
            outcome
        });
        let outcome = task.map(move |joined| {
            joined.unwrap_or_else(|_| {
                link.state().dialling = None;
                Err(Status::internal("the dial was aborted").not_processed())
            })
        });
        (Box::pin(outcome) as BoxFuture<_>).shared()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Link")
            .field("address", &self.state().address)
            .field("connected", &self.current.load().is_some())
            .finish()
    }
}
