use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use tokio::sync::Mutex;

use super::super::{Channel, subchannel::RenewableConnection};
use crate::{Context, Payload, Response, Service, Status, Streaming, balance::directory};

/// A connection to a discovered address. Before the first call the node there must confirm its id: a loopback address, or
/// one that has been reassigned to another machine, leads to another node.
struct VerifiedPeer {
    inner: Channel,
    id: Arc<str>,
    seen: AtomicBool,
    asking: Mutex<()>,
}

/// The timeout of the confirmation, including the dial.
const PATIENCE: Duration = Duration::from_secs(2);

/// The same connection, which calls only the node with this id.
pub(super) fn vetted(way: RenewableConnection, id: Arc<str>) -> RenewableConnection {
    let RenewableConnection { channel, path, renew, close } = way;
    let inner = VerifiedPeer {
        inner: channel,
        id: id.clone(),
        seen: AtomicBool::new(false),
        asking: Mutex::default(),
    };
    let again = move || -> futures_util::future::BoxFuture<'static, Option<RenewableConnection>> {
        let (renewing, id) = (renew(), id.clone());
        Box::pin(async move { renewing.await.map(|way| vetted(way, id)) })
    };
    RenewableConnection { channel: Channel::new(inner), path, renew: Box::new(again), close }
}

impl VerifiedPeer {
    async fn vet(&self) -> Result<(), Status> {
        if self.seen.load(Ordering::Relaxed) {
            return Ok(());
        }
        let _turn = self.asking.lock().await;
        if self.seen.load(Ordering::Relaxed) {
            return Ok(());
        }
        let told = directory::list(&self.inner, false, PATIENCE).await;
        let told = told.map_err(|status| refused(format!("unknown node id: {status}")))?;
        let node = told
            .node
            .ok_or_else(|| refused("unknown node id: the directory does not report it".to_owned()))?;
        if node.id != *self.id {
            return Err(refused(format!("node id mismatch: expected {}, got {}", self.id, node.id)));
        }
        if !node.conflict.is_empty() {
            return Err(refused(format!("duplicate node id {}: {}", self.id, node.conflict)));
        }
        self.seen.store(true, Ordering::Relaxed);
        Ok(())
    }
}

fn refused(why: String) -> Status {
    Status::unavailable(why).not_processed()
}

impl Service for VerifiedPeer {
    async fn unary(&self, cx: Context, message: Payload) -> Result<Response<Payload>, Status> {
        self.vet().await?;
        self.inner.unary(cx, message).await
    }

    async fn stream(
        &self,
        cx: Context,
        messages: Streaming<Payload>,
    ) -> Result<Response<Streaming<Payload>>, Status> {
        self.vet().await?;
        self.inner.stream(cx, messages).await
    }
}
