use std::{
    path::PathBuf,
    sync::{Arc, Mutex},
};

use arc_swap::ArcSwap;
use futures_util::future::BoxFuture;
use tokio::time::Instant;

use crate::{
    Channel, Context, Payload, Response, Service, Status, Streaming,
    watched::{INTERVAL, SETTLING, Stamp},
};

/// A TLS connection that is replaced when its file of certificate authorities changes. Calls in flight keep the old
/// connection; new calls trust the authorities of the current file alone.
pub(super) struct Renewing {
    now: ArcSwap<Channel>,
    make: Box<dyn Fn() -> Result<Channel, Status> + Send + Sync>,
    file: PathBuf,
    look: Mutex<Look>,
}

/// What is known of the file.
struct Look {
    /// How it was when it was read last.
    read: Option<Stamp>,
    /// How it was when it was looked at last, and when.
    seen: Option<Stamp>,
    at: Instant,
}

impl Renewing {
    /// # Errors
    /// When the connection cannot be made now.
    pub(super) fn new(
        file: PathBuf,
        make: impl Fn() -> Result<Channel, Status> + Send + Sync + 'static,
    ) -> Result<Self, Status> {
        let read = Stamp::of(&file);
        let now = ArcSwap::from_pointee(make()?);
        let look = Mutex::new(Look { read, seen: read, at: Instant::now() });
        Ok(Self { now, make: Box::new(make), file, look })
    }

    /// The connection for a call that begins now.
    fn current(&self) -> Arc<Channel> {
        if self.has_changed() {
            match (self.make)() {
                Ok(connection) => self.now.store(Arc::new(connection)),
                Err(status) => {
                    let problem = status.message();
                    tracing::error!(
                        problem,
                        "changed certificate authorities are refused, and those before hold"
                    );
                }
            }
        }
        self.now.load_full()
    }

    /// Whether the file is another than the one that was read, and stands still. It is looked at now and then, by one call
    /// at a time.
    fn has_changed(&self) -> bool {
        let Ok(mut look) = self.look.try_lock() else { return false };
        let pause = if look.seen == look.read { INTERVAL } else { SETTLING };
        if look.at.elapsed() < pause {
            return false;
        }
        let now = Stamp::of(&self.file);
        let stands = now == look.seen || now.as_ref().is_some_and(Stamp::is_settled);
        let changed = now != look.read && stands;
        look.seen = now;
        look.at = Instant::now();
        if changed {
            look.read = now;
        }
        changed
    }
}

impl Service for Renewing {
    async fn unary(&self, cx: Context, message: Payload) -> Result<Response<Payload>, Status> {
        self.current().unary(cx, message).await
    }

    fn unary_boxed(
        self: Arc<Self>,
        cx: Context,
        message: Payload,
    ) -> BoxFuture<'static, Result<Response<Payload>, Status>> {
        self.current().call(cx, message)
    }

    async fn stream(
        &self,
        cx: Context,
        messages: Streaming<Payload>,
    ) -> Result<Response<Streaming<Payload>>, Status> {
        self.current().stream(cx, messages).await
    }
}
