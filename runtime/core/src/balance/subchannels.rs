use std::sync::Arc;

use super::{
    Channel,
    attempt::{Attempts, Watched},
    explain,
    observer::ChannelObserver,
    response_stream::ResponseStream,
    state::ChannelState,
    subchannel::Subchannel,
};
use crate::{
    Context, Payload, Response, Service, Status, Streaming, policy::PolicyHandle, streaming::ReplayStream,
};
use futures_util::future::BoxFuture;

/// Several transports to one peer: a [`Service`] whose calls each take the one that their policy chooses, and another
/// where that is safe.
pub(super) struct Subchannels(Arc<ChannelState>);

impl Subchannels {
    pub(super) fn new(
        subchannels: Vec<Subchannel>,
        policies: PolicyHandle,
        observer: ChannelObserver,
    ) -> Self {
        Self::over(Arc::new(ChannelState::new(subchannels, policies, observer)))
    }

    /// Those that are here.
    pub(super) fn over(shared: Arc<ChannelState>) -> Self {
        Self(shared)
    }

    /// The channel over them, which explains its choices.
    pub(super) fn into_channel(self) -> Channel {
        let shared = self.0.clone();
        Channel::new(self).explained_by(Arc::new(move || explain::explain(&shared)))
    }

    /// What their calls share.
    pub(super) fn shared(&self) -> &Arc<ChannelState> {
        &self.0
    }

    /// A function that forces a reconnect on each transport. Call it within a tokio runtime.
    pub(super) fn renewing(&self) -> impl Fn() + Send + Sync + 'static + use<> {
        let subchannels = Arc::downgrade(&self.0.subchannels);
        move || {
            for subchannel in subchannels.upgrade().iter().flat_map(|subchannels| subchannels.iter().cloned())
            {
                tokio::spawn(async move { subchannel.renew().await });
            }
        }
    }

    /// Tells the peer over each transport that nothing more comes.
    pub(super) fn closing(&self) -> BoxFuture<'static, ()> {
        let subchannels = self.0.subchannels.clone();
        Box::pin(async move {
            futures_util::future::join_all(subchannels.iter().map(|subchannel| subchannel.close())).await;
        })
    }
}

impl Service for Subchannels {
    async fn unary(&self, cx: Context, message: Payload) -> Result<Response<Payload>, Status> {
        let Self(shared) = self;
        let method = shared.methods.at(&cx.path);
        let ruling = shared.methods.ruling(cx.path(), &method);
        shared.deposit();
        let order = shared.order(&method, &ruling);
        let place = shared.open(&order, &cx).await?;
        let (message, kept) = message.keep();
        let mut attempts = Attempts::new(shared, &method, &ruling, order, cx.again());
        let mut cx = cx;
        let shadow = shared.shadow(&method, &ruling, place, &mut cx, &kept);
        let mut flight = attempts.fly(place, cx, message);
        let outcome = match attempts.watch(&mut flight).await {
            Watched::Landed(Ok(response)) => Ok(response),
            Watched::Landed(Err(status)) => {
                drop(flight);
                Box::pin(attempts.after_failure(place, status, &kept)).await
            }
            Watched::Late(reason) => Box::pin(attempts.beside(flight, reason, &kept)).await,
        };
        if let Some(shadow) = shadow {
            shadow.compare(&outcome);
        }
        outcome
    }

    async fn stream(
        &self,
        cx: Context,
        messages: Streaming<Payload>,
    ) -> Result<Response<Streaming<Payload>>, Status> {
        let Self(shared) = self;
        let method = shared.methods.at(&cx.path);
        let ruling = shared.methods.ruling(cx.path(), &method);
        shared.deposit();
        let order = shared.order(&method, &ruling);
        let mut place = shared.open(&order, &cx).await?;
        let (mut messages, lent) = ReplayStream::keep(messages);
        let mut attempts = Attempts::new(shared, &method, &ruling, order, cx.again());
        let idempotent = cx.idempotent;
        let mut cx = cx;
        loop {
            let opening = shared.subchannels[place].channel();
            let mut flight = attempts.begin(place);
            let outcome = opening.stream(cx, messages).await;
            let status = match outcome {
                Ok(response) => {
                    let attempt = flight.opened();
                    let over = |answers| {
                        ResponseStream::over(shared, (place, opening), idempotent, attempt, answers)
                    };
                    return Ok(response.map(over));
                }
                Err(status) => status,
            };
            flight.note(Some(&status));
            drop(flight);
            let next = attempts.next(place, &status).await;
            let Some((next, again)) = next.and_then(|next| Some((next, lent.again()?))) else {
                return Err(attempts.last_word(status));
            };
            (place, messages) = (next, again);
            cx = attempts.context();
        }
    }
}
