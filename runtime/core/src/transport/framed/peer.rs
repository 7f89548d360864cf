use std::{fmt, future::ready, sync::Arc, time::Duration};

use futures_util::future::{BoxFuture, Either};

use super::{
    Connection, Dial, Proof, RequestStreams, StreamError,
    body::Refusal,
    client::{Outgoing, Unanswered},
    link::Link,
};
use crate::{
    Codec, Context, Limits, Payload, Response, Service, Status, Streaming,
    streaming::ReplayStream,
    trace::System,
    transport::{Outbound, outbound},
};

/// One peer that is dialled when it is called: a [`Service`] over connections that carry streams of bytes.
///
/// It keeps one connection, dialled once however many calls race for it, and dialled again after it died; a call
/// that finds it dead or draining, and that certainly reached no handler, is made once more on the new one while its first
/// messages are at hand. Clones share it.
pub struct Peer<D: Dial> {
    link: Arc<Link<D>>,
    outbound: Arc<Outbound>,
}

impl<D: Dial> Peer<D> {
    /// Nothing is dialled before the first call. Calls that name no codec are encoded with this one.
    pub fn new(dial: D, codec: Codec, limits: Limits) -> Self {
        Self::on(Arc::new(Link::new(dial)), Outbound { codec, limits })
    }

    pub(crate) fn on(link: Arc<Link<D>>, outbound: Outbound) -> Self {
        Self { link, outbound: Arc::new(outbound) }
    }

    pub(crate) fn link(&self) -> &Arc<Link<D>> {
        &self.link
    }

    async fn open(
        &self,
        connection: &Arc<D::Connection>,
        outgoing: &Outgoing,
    ) -> Result<RequestStreams<D::Connection>, Status> {
        let opened = match outgoing.open(&**connection).await {
            // The connection was dead and the call not processed: retry on a new connection.
            Err(StreamError::Lost(status)) if status.is_not_processed() => {
                // Boxed, so that the rare case does not make every call's future larger.
                let again = async {
                    let connection = self.link.connection(Some(connection)).await?;
                    outgoing.open(&*connection).await.map_err(|error| self.lost(error))
                };
                Box::pin(again).await
            }
            opened => opened.map_err(|error| self.lost(error)),
        };
        opened.map_err(|status| status.maybe_executed(outgoing.is_idempotent()))
    }

    fn lost(&self, error: StreamError) -> Status {
        self.link.remote.lost(error.into())
    }
}

impl<D: Dial> Peer<D> {
    /// A call with one response. It holds its message until there is a connection, and from then on the bytes alone.
    pub(crate) fn call(
        &self,
        cx: Context,
        message: Payload,
    ) -> impl Future<Output = Result<Response<Payload>, Status>> + Send + use<D> {
        let peer = self.clone();
        outbound::unary(self.system(), cx, |cx| {
            // First of all the connection: the head says how much time is left when it leaves.
            match peer.link.proven() {
                Some(connection) => match Outgoing::unary(&peer.outbound, &cx, &message) {
                    Ok(outgoing) => Either::Left(peer.answered_in_the_end(connection, outgoing)),
                    Err(status) => Either::Right(Either::Left(ready(Err(status)))),
                },
                None => Either::Right(Either::Right(Box::pin(peer.call_dialled(cx, message)))),
            }
        })
    }

    /// A call that has to wait for its connection, or for the end of early data.
    async fn call_dialled(self, cx: Context, message: Payload) -> Result<Response<Payload>, Status> {
        let connection = self.link.connection(None).await?;
        if let Some(proof) = connection.early() {
            return self.unary_early(connection, proof, cx, message).await;
        }
        let outgoing = Outgoing::unary(&self.outbound, &cx, &message)?;
        self.answered_in_the_end(connection, outgoing).await
    }

    /// A call while early data can be sent. What must not be repeated waits; what the peer does not take early
    /// is sent again.
    async fn unary_early(
        self,
        connection: Arc<D::Connection>,
        proof: Proof,
        cx: Context,
        message: Payload,
    ) -> Result<Response<Payload>, Status> {
        if !cx.idempotent {
            let connection = self.proven(connection, proof).await?;
            let outgoing = Outgoing::unary(&self.outbound, &cx, &message)?;
            return self.answered_in_the_end(connection, outgoing).await;
        }
        let outgoing = Outgoing::unary(&self.outbound, &cx, &message)?;
        match self.answered(&connection, &outgoing).await.map_err(Status::from) {
            Err(status) if status.is_not_processed() => {
                let connection = self.proven(connection, proof).await?;
                self.answered_in_the_end(connection, outgoing).await
            }
            answer => answer,
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
        connection: &Arc<D::Connection>,
        outgoing: &Outgoing,
    ) -> Result<Response<Payload>, Unanswered> {
        let streams = self.open(connection, outgoing).await?;
        outgoing.answers(streams, None, &self.outbound.limits, &self.link.remote).single().await
    }

    /// As [`answered`](Self::answered), once more where the connection did not take the call.
    #[expect(clippy::manual_async_fn, reason = "an async fn would hold its arguments twice")]
    fn answered_in_the_end(
        self,
        connection: Arc<D::Connection>,
        outgoing: Outgoing,
    ) -> impl Future<Output = Result<Response<Payload>, Status>> + Send + use<D> {
        async move {
            match self.answered(&connection, &outgoing).await {
                Err(Unanswered::Refused(refusal, status)) => {
                    // Boxed, so that the rare case does not make every call's future larger.
                    let once_more = async {
                        let connection = self.after(connection, refusal, status).await?;
                        Ok(self.answered(&connection, &outgoing).await?)
                    };
                    Box::pin(once_more).await
                }
                answer => Ok(answer?),
            }
        }
    }

    async fn streamed(
        &self,
        connection: &Arc<D::Connection>,
        outgoing: &Outgoing,
        rest: Option<Streaming<Payload>>,
    ) -> Result<Response<Streaming<Payload>>, Unanswered> {
        let streams = self.open(connection, outgoing).await?;
        outgoing.answers(streams, rest, &self.outbound.limits, &self.link.remote).streaming().await
    }

    /// The connection for a call that this one did not take: a new one, where it takes no more.
    ///
    /// # Errors
    /// The status, where no other is made soon. It is being dialled then.
    async fn after(
        &self,
        connection: Arc<D::Connection>,
        refusal: Refusal,
        status: Status,
    ) -> Result<Arc<D::Connection>, Status> {
        if refusal == Refusal::ForNow {
            return Ok(connection);
        }
        let connection = self.link.another(&connection, ANEW).await.ok_or(status)?;
        match connection.early() {
            Some(proof) => self.proven(connection, proof).await,
            None => Ok(connection),
        }
    }
}

/// How long a call waits for a connection in the place of one that takes no more, from the beginning of its dial: so long
/// happy eyeballs wait before they try another way
/// ([RFC 8305, section 5](https://www.rfc-editor.org/rfc/rfc8305#section-5)).
const ANEW: Duration = Duration::from_millis(250);

impl<D: Dial> Service for Peer<D> {
    fn unary(
        &self,
        cx: Context,
        message: Payload,
    ) -> impl Future<Output = Result<Response<Payload>, Status>> + Send {
        self.call(cx, message)
    }

    fn unary_boxed(
        self: Arc<Self>,
        cx: Context,
        message: Payload,
    ) -> BoxFuture<'static, Result<Response<Payload>, Status>> {
        Box::pin(self.call(cx, message))
    }

    fn stream(
        &self,
        cx: Context,
        messages: Streaming<Payload>,
    ) -> impl Future<Output = Result<Response<Streaming<Payload>>, Status>> + Send {
        outbound::stream(self.system(), cx, |cx| self.call_many(cx, messages))
    }
}

impl<D: Dial> Peer<D> {
    fn system(&self) -> (System, &'static str) {
        (System::Polywire, self.link.dial.transport())
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
        let (messages, lent) = ReplayStream::keep(messages);
        let (outgoing, rest) = Outgoing::streaming(&self.outbound, &cx, messages)?;
        let (refusal, status) = match self.streamed(&connection, &outgoing, rest).await {
            Err(Unanswered::Refused(refusal, status)) => (refusal, status),
            answer => return Ok(answer?),
        };
        // Boxed, so that the rare case does not make every call's future larger.
        let once_more = async {
            let Some(messages) = lent.again() else { return Err(status) };
            let connection = self.after(connection, refusal, status).await?;
            let (outgoing, rest) = Outgoing::streaming(&self.outbound, &cx, messages)?;
            Ok(self.streamed(&connection, &outgoing, rest).await?)
        };
        Box::pin(once_more).await
    }
}

impl<D: Dial> Clone for Peer<D> {
    fn clone(&self) -> Self {
        Self { link: self.link.clone(), outbound: self.outbound.clone() }
    }
}

impl<D: Dial> fmt::Debug for Peer<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Peer").field("link", &self.link).finish_non_exhaustive()
    }
}
