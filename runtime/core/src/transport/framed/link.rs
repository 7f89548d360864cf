use std::{fmt, sync::Arc, time::Duration};

use arc_swap::ArcSwapOption;
use futures_util::{FutureExt, future::Shared};
use tokio::{sync::oneshot, time::Instant};

use super::Connection;
use crate::{
    Status,
    sync::{Mutex, MutexGuard},
    transport::{ConnectionGauge, NetworkPath, Remote, gauge::Counted},
    wire::ConnectionCode,
};
use futures_util::future::BoxFuture;

/// Makes connections to one peer.
pub trait Dial: Send + Sync + 'static {
    /// What is made.
    type Connection: Connection;

    /// The transport's name, such as `quic`.
    fn transport(&self) -> &'static str;

    /// Where it leads, for messages. Default nothing.
    fn remote(&self) -> Option<String> {
        None
    }

    /// Told of every connection that is made, and of its end. Default none.
    fn gauge(&self) -> Option<Arc<dyn ConnectionGauge>> {
        None
    }

    /// Makes a connection, within a time of its own choosing.
    ///
    /// # Errors
    /// `Unavailable` where the peer cannot be reached. Nothing was processed, whatever the status says of
    /// that.
    fn connect(&self) -> impl Future<Output = Result<Self::Connection, Status>> + Send;
}

/// The way to one peer: its connection while there is one, and the dial under way while one is being made.
pub(crate) struct Link<D: Dial> {
    pub(crate) dial: D,
    /// Which peer failures are of.
    pub(crate) remote: Remote,
    current: ArcSwapOption<D::Connection>,
    /// The dial under way, and since when it is.
    dialling: Mutex<Option<(Instant, Dialling<D>)>>,
    /// Dropped once the connection that was made last is let go, for what counts it holds it too.
    counting: Mutex<Option<oneshot::Sender<()>>>,
}

/// A dial that any number of calls wait for; they share its failure too.
type Dialling<D> = Shared<BoxFuture<'static, Result<Arc<<D as Dial>::Connection>, Status>>>;

impl<D: Dial> Link<D> {
    pub(crate) fn new(dial: D) -> Self {
        let (dialling, counting) = (Mutex::new(None), Mutex::new(None));
        let remote = Remote::new(dial.remote());
        Self { dial, remote, current: ArcSwapOption::empty(), dialling, counting }
    }

    /// The connection: the one that was made last, unless it is the `stale` one, or a new one. Whether it
    /// still lives shows when it is used: asking would cost every call its lock.
    pub(crate) async fn connection(
        self: &Arc<Self>,
        stale: Option<&Arc<D::Connection>>,
    ) -> Result<Arc<D::Connection>, Status> {
        match self.current(stale) {
            Some(connection) => Ok(connection),
            // Boxed, so that the rare case does not make every call's future larger.
            None => Box::pin(self.dialled(stale)).await,
        }
    }

    /// The connection, if there is one on which nothing travels as early data.
    pub(crate) fn proven(&self) -> Option<Arc<D::Connection>> {
        self.current(None).filter(|connection| connection.early().is_none())
    }

    /// Closes the connection, where there is one, and returns once the peer has been told.
    pub(crate) async fn close(&self) {
        if let Some(connection) = self.current.swap(None) {
            self.counting.lock().take();
            connection.close(ConnectionCode::Closed, "");
            connection.closed().await;
        }
    }

    /// Forces a reconnect on the next call; calls in flight keep the old connection.
    pub(crate) fn forget(&self) {
        self.current.store(None);
        // The counting task would keep the connection until its timeout, and Iroh would send to its old address all that
        // time, including packets that should find the peer at its new address.
        self.counting.lock().take();
    }

    /// The way that packets to the peer take; `None` before there is a connection.
    pub(crate) fn path(&self) -> Option<NetworkPath> {
        self.current.load().as_ref()?.path()
    }

    async fn dialled(
        self: &Arc<Self>,
        stale: Option<&Arc<D::Connection>>,
    ) -> Result<Arc<D::Connection>, Status> {
        match self.either(stale) {
            Ok(connection) => Ok(connection),
            Err((_, dialling)) => dialling.await,
        }
    }

    /// Another connection than the stale one, where it is made within this time of the beginning of its dial.
    pub(crate) async fn another(
        self: &Arc<Self>,
        stale: &Arc<D::Connection>,
        patience: Duration,
    ) -> Option<Arc<D::Connection>> {
        match self.either(Some(stale)) {
            Ok(connection) => Some(connection),
            Err((since, dialling)) => tokio::time::timeout_at(since + patience, dialling).await.ok()?.ok(),
        }
    }

    /// The connection, or the dial that may make it.
    fn either(
        self: &Arc<Self>,
        stale: Option<&Arc<D::Connection>>,
    ) -> Result<Arc<D::Connection>, (Instant, Dialling<D>)> {
        let mut dialling = self.dialling();
        match (&*dialling, self.current(stale)) {
            (_, Some(connection)) => Ok(connection),
            (Some(dialling), None) => Err(dialling.clone()),
            (None, None) => Err(dialling.insert((Instant::now(), self.clone().start())).clone()),
        }
    }

    fn current(&self, stale: Option<&Arc<D::Connection>>) -> Option<Arc<D::Connection>> {
        let is_stale = |connection: &Arc<_>| stale.is_some_and(|stale| Arc::ptr_eq(stale, connection));
        self.current.load_full().filter(|connection| !is_stale(connection))
    }

    /// Dials in a task of its own: the first of the waiting calls may give up, the others still wait.
    fn start(self: Arc<Self>) -> Dialling<D> {
        let link = self.clone();
        let task = tokio::spawn(async move {
            let outcome = self.dial.connect().await.map(Arc::new);
            let outcome = outcome.map_err(|status| self.remote.named(status.not_processed()));
            let mut dialling = self.dialling();
            *dialling = None;
            if let Ok(connection) = &outcome {
                self.count(connection.clone());
                self.current.store(Some(connection.clone()));
            }
            outcome
        });
        let outcome = task.map(move |joined| {
            joined.unwrap_or_else(|_| {
                *link.dialling() = None;
                Err(Status::internal("the dial was aborted").not_processed())
            })
        });
        (Box::pin(outcome) as BoxFuture<'static, _>).shared()
    }

    /// Counts the connection, if there is a gauge, until it ends or this link drops it.
    fn count(&self, connection: Arc<D::Connection>) {
        let Some(gauge) = self.dial.gauge() else { return };
        let (let_go, released) = oneshot::channel();
        *self.counting.lock() = Some(let_go);
        let counted = Counted::new(Some(gauge));
        tokio::spawn(async move {
            let _counted = counted;
            // A peer that is called opens no streams: this side learns from it how long the connection is there.
            let ended = async { while connection.accept().await.is_ok() {} };
            tokio::select! {
                () = ended => {}
                _ = released => {}
            }
        });
    }

    fn dialling(&self) -> MutexGuard<'_, Option<(Instant, Dialling<D>)>> {
        self.dialling.lock()
    }
}

impl<D: Dial> fmt::Debug for Link<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Link").field("connected", &self.current.load().is_some()).finish_non_exhaustive()
    }
}
