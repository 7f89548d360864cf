use std::{fmt, sync::Arc};

use super::{
    Connection, Dial, FirstWrite, Proof, RequestStreams, Requester, StreamError, client::Outgoing, link::Link,
};
use crate::{
    Codec, Context, Limits, Payload, Response, Service, Status, Streaming,
    trace::{CallSpan, System},
};

/// One peer that is dialled when it is called: a [`Service`] over connections that carry streams of bytes.
///
/// It keeps one connection, dialled once however many calls race for it, and dialled again after it died; a call
/// that finds it dead, and that nobody can have seen, is made once more on the new one. Clones share it.
pub struct Peer<D: Dial> {
    link: Arc<Link<D>>,
    requester: Requester,
}

impl<D: Dial> Peer<D> {
    /// Nothing is dialled before the first call. Calls that name no codec are encoded with this one.
    pub fn new(dial: D, codec: Codec, limits: Limits) -> Self {
        Self::on(Arc::new(Link::new(dial)), Requester { codec, limits })
    }

    pub(crate) fn on(link: Arc<Link<D>>, requester: Requester) -> Self {
        Self { link, requester }
    }

    #[cfg(any(feature = "iroh", feature = "node"))]
    pub(crate) fn link(&self) -> &Arc<Link<D>> {
        &self.link
    }

    async fn open(
        &self,
        connection: Arc<D::Connection>,
        first: FirstWrite,
    ) -> Result<RequestStreams<D::Connection>, Status> {
        let lost = |error: StreamError| self.link.remote.lost(error.into());
        match first.open(&*connection).await {
            // The connection had died, and nobody has seen the call: once more, on a new one.
            Err(StreamError::Lost(status)) if status.is_not_processed() => {
                let again = async {
                    let connection = self.link.connection(Some(&connection)).await?;
                    first.open(&*connection).await.map_err(lost)
                };
                Box::pin(again).await
            }
            opened => opened.map_err(lost),
        }
    }
}

impl<D: Dial> Peer<D> {
    /// A call while early data can be sent. What must not be repeated waits; what the peer does not take early
    /// is sent again.
    async fn unary_early(
        &self,
        connection: Arc<D::Connection>,
        proof: Proof,
        cx: Context,
        message: Payload,
    ) -> Result<Response<Payload>, Status> {
        if !cx.idempotent {
            let connection = self.proven(connection, proof).await?;
            let outgoing = self.requester.unary(cx, message)?;
            return self.answered(connection, outgoing).await;
        }
        let outgoing = self.requester.unary(cx, message)?;
        let again = outgoing.again();
        match (self.answered(connection.clone(), outgoing).await, again) {
            (Err(status), Some(again)) if status.is_not_processed() => {
                let connection = self.proven(connection, proof).await?;
                self.answered(connection, again).await
            }
            (answer, _) => answer,
        }
    }

    /// The connection once its handshake is over, or another where that has failed.
    async fn proven(
        &self,
        connection: Arc<D::Connection>,
        proof: Proof,
    ) -> Result<Arc<D::Connection>, Status> {
        let Err(_) = proof.await else { return Ok(connection) };
        let connection = self.link.connection(Some(&connection)).await?;
        if let Some(proof) = connection.early() {
            proof.await.map_err(|lost| self.link.remote.lost(Status::from(lost).not_processed()))?;
        }
        Ok(connection)
    }

    async fn answered(
        &self,
        connection: Arc<D::Connection>,
        outgoing: Outgoing,
    ) -> Result<Response<Payload>, Status> {
        let streams = self.open(connection, outgoing.first_write()).await?;
        outgoing.to(&self.link.remote).answer(streams, &self.requester.limits).await
    }
}

impl<D: Dial> Service for Peer<D> {
    fn unary(
        &self,
        mut cx: Context,
        message: Payload,
    ) -> impl Future<Output = Result<Response<Payload>, Status>> + Send {
        self.span(&mut cx).run(self.call_once(cx, message))
    }

    fn stream(
        &self,
        mut cx: Context,
        messages: Streaming<Payload>,
    ) -> impl Future<Output = Result<Response<Streaming<Payload>>, Status>> + Send {
        self.span(&mut cx).stream(self.call_many(cx, messages))
    }
}

impl<D: Dial> Peer<D> {
    fn span(&self, cx: &mut Context) -> CallSpan {
        CallSpan::client(System::Polywire, self.link.dial.transport(), cx)
    }

    async fn call_once(&self, cx: Context, message: Payload) -> Result<Response<Payload>, Status> {
        // First of all the connection: the head says how much time is left when it leaves.
        let connection = self.link.connection(None).await?;
        if let Some(proof) = connection.early() {
            return Box::pin(self.unary_early(connection, proof, cx, message)).await;
        }
        let outgoing = self.requester.unary(cx, message)?;
        self.answered(connection, outgoing).await
    }

    async fn call_many(
        &self,
        cx: Context,
        messages: Streaming<Payload>,
    ) -> Result<Response<Streaming<Payload>>, Status> {
        // First of all the connection: the head says how much time is left when it leaves.
        let mut connection = self.link.connection(None).await?;
        if let Some(proof) = connection.early() {
            connection = self.proven(connection, proof).await?;
        }
        let outgoing = self.requester.stream(cx, messages)?;
        let streams = self.open(connection, outgoing.first_write()).await?;
        outgoing.to(&self.link.remote).stream(streams, &self.requester.limits).await
    }
}

impl<D: Dial> Clone for Peer<D> {
    fn clone(&self) -> Self {
        Self { link: self.link.clone(), requester: self.requester.clone() }
    }
}

impl<D: Dial> fmt::Debug for Peer<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Peer").field("link", &self.link).finish_non_exhaustive()
    }
}
