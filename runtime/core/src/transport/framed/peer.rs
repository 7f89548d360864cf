use std::{fmt, sync::Arc, time::Duration};

use super::{
    Connection, Dial, FirstWrite, FramedClient, Proof, RequestStreams, StreamError,
    client::{Outgoing, Unanswered},
    incoming::Refusal,
    link::Link,
};
use crate::{
    Codec, Context, Limits, Payload, Response, Service, Status, Streaming,
    streaming::ReplayStream,
    trace::{CallSpan, System},
};

/// One peer that is dialled when it is called: a [`Service`] over connections that carry streams of bytes.
///
/// It keeps one connection, dialled once however many calls race for it, and dialled again after it died; a call
/// that finds it dead or draining, and that certainly reached no handler, is made once more on the new one while its first
/// messages are at hand. Clones share it.
pub struct Peer<D: Dial> {
    link: Arc<Link<D>>,
    client: FramedClient,
}

impl<D: Dial> Peer<D> {
    /// Nothing is dialled before the first call. Calls that name no codec are encoded with this one.
    pub fn new(dial: D, codec: Codec, limits: Limits) -> Self {
        Self::on(Arc::new(Link::new(dial)), FramedClient { codec, limits })
    }

    pub(crate) fn on(link: Arc<Link<D>>, client: FramedClient) -> Self {
        Self { link, client }
    }

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
            // The connection was dead and the call not processed: retry on a new connection.
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
            let outgoing = self.client.unary(&cx, message)?;
            return self.answered_in_the_end(connection, outgoing).await;
        }
        let outgoing = self.client.unary(&cx, message)?;
        let again = outgoing.again();
        let answer = self.answered(connection.clone(), outgoing).await;
        match (answer.map_err(Status::from), again) {
            (Err(status), Some(again)) if status.is_not_processed() => {
                let connection = self.proven(connection, proof).await?;
                self.answered_in_the_end(connection, again).await
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
    ) -> Result<Response<Payload>, Unanswered> {
        let opened = self.open(connection, outgoing.first_write()).await;
        let streams = opened.map_err(|status| status.maybe_executed(outgoing.is_idempotent()))?;
        outgoing.to(&self.link.remote).answer(streams, &self.client.limits).await
    }

    /// As [`answered`](Self::answered), once more where the connection did not take the call.
    async fn answered_in_the_end(
        &self,
        connection: Arc<D::Connection>,
        outgoing: Outgoing,
    ) -> Result<Response<Payload>, Status> {
        let again = outgoing.again();
        match (self.answered(connection.clone(), outgoing).await, again) {
            (Err(Unanswered::Refused(refusal, status)), Some(again)) => {
                // Boxed, so that the rare case does not make every call's future larger.
                let once_more = async {
                    let connection = self.after(connection, refusal, status).await?;
                    Ok(self.answered(connection, again).await?)
                };
                Box::pin(once_more).await
            }
            (answer, _) => Ok(answer?),
        }
    }

    async fn streamed(
        &self,
        connection: Arc<D::Connection>,
        outgoing: Outgoing,
    ) -> Result<Response<Streaming<Payload>>, Unanswered> {
        let opened = self.open(connection, outgoing.first_write()).await;
        let streams = opened.map_err(|status| status.maybe_executed(outgoing.is_idempotent()))?;
        outgoing.to(&self.link.remote).stream(streams, &self.client.limits).await
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
        let outgoing = self.client.unary(&cx, message)?;
        self.answered_in_the_end(connection, outgoing).await
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
        let outgoing = self.client.stream(&cx, messages)?;
        let (refusal, status) = match self.streamed(connection.clone(), outgoing).await {
            Err(Unanswered::Refused(refusal, status)) => (refusal, status),
            answer => return Ok(answer?),
        };
        // Boxed, so that the rare case does not make every call's future larger.
        let once_more = async {
            let Some(messages) = lent.again() else { return Err(status) };
            let connection = self.after(connection, refusal, status).await?;
            let outgoing = self.client.stream(&cx, messages)?;
            Ok(self.streamed(connection, outgoing).await?)
        };
        Box::pin(once_more).await
    }
}

impl<D: Dial> Clone for Peer<D> {
    fn clone(&self) -> Self {
        Self { link: self.link.clone(), client: self.client.clone() }
    }
}

impl<D: Dial> fmt::Debug for Peer<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Peer").field("link", &self.link).finish_non_exhaustive()
    }
}
