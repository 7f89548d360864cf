use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::{
    Address, NAME,
    dispatch::Dispatch,
    names,
    server::{InFlight, Server},
};
use crate::{
    Code, Codec, Context, Limits, Payload, Response, Service, Status, Streaming, deadline,
    sync::Mutex,
    trace::System,
    transport::{Outbound, Remote, gauge::Counted, outbound},
};

/// The connection to a name. The next call finds a server that binds the name again.
pub(super) struct Connection {
    address: Address,
    outbound: Outbound,
    current: Mutex<Option<Arc<Current>>>,
}

/// The server that the last call went to.
struct Current {
    server: Arc<Server>,
    permits: Arc<Semaphore>,
    _counted: Counted,
}

/// A place among the calls in progress, at both ends.
pub(super) struct Place {
    _in_flight: InFlight,
    _permit: OwnedSemaphorePermit,
    /// The channel counts as connected while calls of it are in progress.
    _current: Arc<Current>,
}

impl Connection {
    pub(super) fn new(address: Address, limits: Limits) -> Self {
        // Nothing is encoded, so the codec does not matter.
        let outbound = Outbound { codec: Codec::MessagePack, limits };
        Self { address, outbound, current: Mutex::new(None) }
    }

    async fn current(&self) -> Result<Arc<Current>, Status> {
        let known = self.current.lock().clone();
        if let Some(current) = known.filter(|current| current.server.is_serving()) {
            return Ok(current);
        }
        let nobody = || {
            Status::unavailable(format!("no server in this process has bound {}", self.address))
                .not_processed()
        };
        let server = names::find(&self.address).await.ok_or_else(nobody)?;
        let mut current = self.current.lock();
        // Of calls that race, one has been here before.
        if let Some(current) = current.as_ref().filter(|current| Arc::ptr_eq(&current.server, &server)) {
            return Ok(current.clone());
        }
        let counted = server.connected();
        let permits = Arc::new(Semaphore::new(server.max_concurrent_calls));
        Ok(current.insert(Arc::new(Current { server, permits, _counted: counted })).clone())
    }

    async fn enter(&self, cx: &Context) -> Result<(Dispatch, Place), Status> {
        let current = self.current().await?;
        let server = current.server.clone();
        let permit = current.permits.clone().acquire_owned().await;
        let permit = permit.map_err(|_| Status::internal("a semaphore that is never closed was closed"))?;
        let mut arrival = server.inbound.arrive(NAME, cx.path().as_bytes(), cx.deadline());
        let entered = server.enter().inspect_err(|status| arrival.end(status.code()))?;
        let place = Place { _in_flight: entered, _permit: permit, _current: current };
        Ok((
            Dispatch { server, limits: self.outbound.limits.clone(), idempotent: cx.idempotent, arrival },
            place,
        ))
    }

    /// Waits for capacity, and checks the call before it is dispatched.
    async fn begin(&self, cx: &Context) -> Result<(Dispatch, Place), Status> {
        self.outbound.depart(cx)?;
        let begin = async {
            match self.enter(cx).await {
                // It began to stop while the call waited for its place. The server that has the name now is asked once.
                Err(status) if status.code() == Code::Unavailable && status.is_not_processed() => {
                    self.enter(cx).await
                }
                entered => entered,
            }
        };
        let begun = deadline::bound(cx.deadline(), begin).await;
        begun.map_err(|status| Remote::new(Some(self.address.to_string())).lost(status))
    }
}

impl Service for Connection {
    fn unary(
        &self,
        cx: Context,
        message: Payload,
    ) -> impl Future<Output = Result<Response<Payload>, Status>> + Send {
        outbound::unary((System::Polywire, NAME), cx, |cx| self.call_once(cx, message))
    }

    fn stream(
        &self,
        cx: Context,
        messages: Streaming<Payload>,
    ) -> impl Future<Output = Result<Response<Streaming<Payload>>, Status>> + Send {
        outbound::stream((System::Polywire, NAME), cx, |cx| self.call_many(cx, messages))
    }
}

impl Connection {
    async fn call_once(&self, cx: Context, message: Payload) -> Result<Response<Payload>, Status> {
        let (mut dispatch, _place) = self.begin(&cx).await?;
        let outcome = dispatch.unary(cx, message).await;
        dispatch.arrival.end(outcome.as_ref().map_or_else(Status::code, |_| Code::Ok));
        outcome
    }

    async fn call_many(
        &self,
        cx: Context,
        messages: Streaming<Payload>,
    ) -> Result<Response<Streaming<Payload>>, Status> {
        let (dispatch, place) = self.begin(&cx).await?;
        dispatch.stream(cx, messages, place).await
    }
}
