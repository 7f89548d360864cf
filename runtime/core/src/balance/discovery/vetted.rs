use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use tokio::sync::Mutex;

use super::super::{Channel, route::Way};
use crate::{Context, Payload, Response, Service, Status, Streaming, balance::directory};

/// A way to an address that somebody has told. Before the first call it is asked who answers there: an address of
/// loopback, or one that has been given to another machine since, leads to a stranger.
struct Vetted {
    inner: Channel,
    id: Arc<str>,
    seen: AtomicBool,
    asking: Mutex<()>,
}

/// How long whoever answers has to say who it is, a dial included.
const PATIENCE: Duration = Duration::from_secs(2);

/// The same way, over which only the node of this id is called.
pub(super) fn vetted(way: Way, id: Arc<str>) -> Way {
    let Way { channel, path, renew, close } = way;
    let inner =
        Vetted { inner: channel, id: id.clone(), seen: AtomicBool::new(false), asking: Mutex::default() };
    let again = move || -> futures_util::future::BoxFuture<'static, Option<Way>> {
        let (renewing, id) = (renew(), id.clone());
        Box::pin(async move { renewing.await.map(|way| vetted(way, id)) })
    };
    Way { channel: Channel::new(inner), path, renew: Box::new(again), close }
}

impl Vetted {
    async fn vet(&self) -> Result<(), Status> {
        if self.seen.load(Ordering::Relaxed) {
            return Ok(());
        }
        let _turn = self.asking.lock().await;
        if self.seen.load(Ordering::Relaxed) {
            return Ok(());
        }
        let told = directory::list(&self.inner, false, PATIENCE).await;
        let told = told.map_err(|status| unknown(&format!("did not say who it is: {status}")))?;
        let node = told.node.ok_or_else(|| unknown("did not say who it is"))?;
        if node.id != *self.id {
            return Err(unknown(&format!("is {}; expected {}", node.id, self.id)));
        }
        if !node.conflict.is_empty() {
            return Err(unknown(&format!("is a second node of the id {}: {}", self.id, node.conflict)));
        }
        self.seen.store(true, Ordering::Relaxed);
        Ok(())
    }
}

fn unknown(why: &str) -> Status {
    Status::unavailable(format!("whoever answers there {why}")).not_processed()
}

impl Service for Vetted {
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
