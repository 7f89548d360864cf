//! What a case works with: servers that are bound for it, and clients that dial for it.

use std::{
    ops::Deref,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use polywire::{
    Authorize, Channel, Codec, ConnectOptions, Drain, Limits, Service, ServiceExt as _, Target,
    transport::{Connected, ConnectionGauge, Serving},
};
use tokio::{sync::watch, task::JoinHandle};

use super::{
    NOTICE,
    check::{Stop, Verdict, ensure, within},
    ends::{DynBound, Ends},
    live::Live,
    probe::{ProbeClient, ProbeServer, Script},
};

/// What every case is given. Clones are the same.
#[derive(Clone)]
pub(super) struct Rig(Arc<Setup>);

pub(super) struct Setup {
    pub(super) ends: Arc<dyn Ends>,
    pub(super) options: ConnectOptions,
    pub(super) limits: Limits,
    pub(super) concurrency: Option<usize>,
    pub(super) vanished_within: Duration,
    pub(super) allocated: Option<Allocated>,
    pub(super) notes: Mutex<Vec<String>>,
    pub(super) handlers: Live,
}

/// How many bytes are allocated, and how far that may rise from one round of calls to the next.
#[derive(Clone, Copy)]
pub(super) struct Allocated {
    pub(super) read: fn() -> usize,
    pub(super) tolerance: usize,
}

impl Rig {
    pub(super) fn new(setup: Setup) -> Self {
        Self(Arc::new(setup))
    }

    /// A probe that echoes, to be scripted.
    pub(super) fn script(&self) -> Script {
        Script::new(self.handlers.clone())
    }

    /// Says something of the transport that is neither good nor bad, beside the case's outcome.
    pub(super) fn note(&self, text: impl Into<String>) {
        self.notes.lock().unwrap_or_else(PoisonError::into_inner).push(text.into());
    }

    /// Serves the probe at an address of its own.
    pub(super) async fn serve(&self, script: Script) -> Result<Served, Stop> {
        self.serve_any(ProbeServer::new(script)).await
    }

    /// Serves any service at an address of its own.
    pub(super) async fn serve_any(&self, service: impl Service) -> Result<Served, Stop> {
        Ok(self.bind(service).await?.serve())
    }

    /// Serves any service at an address of its own, to callers that this allows.
    pub(super) async fn serve_guarded(
        &self,
        service: impl Service,
        access: Arc<dyn Authorize>,
    ) -> Result<Served, Stop> {
        Ok(self.bind(service).await?.serve_to(Some(access)))
    }

    /// Binds an address for the probe, at which nothing answers yet.
    pub(super) async fn bind_only(&self, script: Script) -> Result<Silent, Stop> {
        self.bind(ProbeServer::new(script)).await
    }

    async fn bind(&self, service: impl Service) -> Result<Silent, Stop> {
        let service = service.into_channel();
        let bound = self.ends.bind(std::array::from_fn(|_| fastrand::u8(..)), service.clone()).await?;
        let text = bound.dyn_target();
        let target = self.ends.target(&text).map_err(|problem| {
            Stop::failed(format_args!(
                "expected that the transport reads the target {text:?} it has printed, found: {problem}"
            ))
        })?;
        Ok(Silent { rig: self.clone(), target, bound, service })
    }
}

impl Deref for Rig {
    type Target = Setup;

    fn deref(&self) -> &Setup {
        &self.0
    }
}

/// A server that is bound and does not serve, so that a dial to it waits.
pub(super) struct Silent {
    rig: Rig,
    target: Target,
    bound: Box<dyn DynBound>,
    service: Channel,
}

impl Silent {
    /// A client over a channel of its own, which has not been connected.
    pub(super) fn client(&self) -> impl Future<Output = Result<ProbeClient, Stop>> + use<> {
        let options = self.rig.options.clone().limits(self.rig.limits.clone());
        let target = self.target.clone();
        async move { Ok(ProbeClient::new(target.open(&options).await?.channel)) }
    }

    /// Serves from now on.
    pub(super) fn serve(self) -> Served {
        self.serve_to(None)
    }

    fn serve_to(self, access: Option<Arc<dyn Authorize>>) -> Served {
        let Self { rig, target, bound, service } = self;
        let (drain, connections) = (Drain::new(), Arc::new(Connections::default()));
        let mut serving = Serving::new(service, drain.clone()).connections(connections.clone());
        serving.access = access;
        let serving = tokio::spawn(bound.dyn_serve(serving));
        Served { rig, target, drain, connections, serving }
    }
}

/// A server that serves; dropped, it is cut.
pub(super) struct Served {
    rig: Rig,
    pub(super) target: Target,
    pub(super) drain: Drain,
    pub(super) connections: Arc<Connections>,
    pub(super) serving: JoinHandle<()>,
}

impl Served {
    /// A client over a channel of its own.
    pub(super) async fn client(&self) -> Result<ProbeClient, Stop> {
        Ok(ProbeClient::new(self.channel().await?))
    }

    /// A client whose first call has been made, so that no connection remains to be made.
    pub(super) async fn connected(&self) -> Result<ProbeClient, Stop> {
        let client = self.client().await?;
        client.exchange(polywire::Streaming::empty()).await?;
        self.handlers(0).await?;
        Ok(client)
    }

    /// A client that keeps these limits.
    pub(super) async fn client_within(&self, limits: Limits) -> Result<ProbeClient, Stop> {
        Ok(ProbeClient::new(self.open(self.rig.options.clone().limits(limits)).await?.channel))
    }

    /// A client whose calls are in this codec where they name none.
    pub(super) async fn client_in(&self, codec: Codec) -> Result<ProbeClient, Stop> {
        let options = self.rig.options.clone().limits(self.rig.limits.clone()).codec(codec);
        Ok(ProbeClient::new(self.open(options).await?.channel))
    }

    /// A channel of its own.
    pub(super) async fn channel(&self) -> Result<Channel, Stop> {
        Ok(self.open(self.rig.options.clone().limits(self.rig.limits.clone())).await?.channel)
    }

    async fn open(&self, options: ConnectOptions) -> Result<Connected, Stop> {
        Ok(self.target.open(&options).await?)
    }

    /// Waits until just as many handlers of the probe are alive: a handler begins and learns of its call's end
    /// within [`NOTICE`].
    #[track_caller]
    pub(super) fn handlers(&self, count: usize) -> impl Future<Output = Verdict> + use<> {
        self.rig.handlers.reach(count, NOTICE, "handlers alive")
    }

    /// Waits until this many more handlers have begun than had when this was called, whatever has become of them.
    #[track_caller]
    pub(super) fn begin(&self, count: usize) -> impl Future<Output = Verdict> + use<> {
        self.rig.handlers.more(count, NOTICE, "handlers to begin")
    }

    /// That everything so far has used one connection: nothing has cost its client the one it had.
    #[track_caller]
    pub(super) fn one_connection(&self) -> Verdict {
        let opened = self.connections.opened();
        ensure(opened <= 1, format_args!("expected one connection, found {opened}"))
    }

    /// Ends the server as a crash would.
    pub(super) async fn die(mut self) -> Verdict {
        // A crashed server says no more.
        self.drain = Drain::new();
        self.serving.abort();
        within(NOTICE, "the end of the task that serves", &mut self.serving).await.map(|_| ())
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        self.drain.cut();
    }
}

/// How many connections of a server have opened, and how many have closed.
#[derive(Debug, Default)]
pub(super) struct Connections(watch::Sender<(usize, usize)>);

impl Connections {
    pub(super) fn opened(&self) -> usize {
        self.0.borrow().0
    }

    /// Waits until none is open.
    pub(super) async fn all_closed(&self, limit: Duration) -> Verdict {
        let mut changes = self.0.subscribe();
        let closed = changes.wait_for(|(opened, closed)| opened == closed);
        within(limit, "that a connection whose client is gone is counted as closed", closed).await.map(|_| ())
    }
}

impl ConnectionGauge for Connections {
    fn opened(&self) {
        self.0.send_modify(|(opened, _)| *opened += 1);
    }

    fn closed(&self) {
        self.0.send_modify(|(_, closed)| *closed += 1);
    }
}
