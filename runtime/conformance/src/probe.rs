//! The service that cases serve and call.

use std::{future::Future, pin::Pin, sync::Arc, time::Duration};

use bytes::Bytes;
use futures_util::StreamExt;
use polywire::{Caller, Codec, Compression, Context, Metadata, Response, Status, Streaming};
use serde::{Deserialize, Serialize};

use super::live::Live;

/// The one message of the probe.
#[derive(Clone, PartialEq, prost::Message, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Parcel {
    #[prost(uint64, tag = "1")]
    pub(super) number: u64,
    #[prost(string, tag = "2")]
    pub(super) text: String,
    #[prost(bytes = "bytes", tag = "3")]
    pub(super) data: Bytes,
}

impl Parcel {
    pub(super) fn numbered(number: u64) -> Self {
        Self { number, ..Self::default() }
    }

    pub(super) fn text(text: impl Into<String>) -> Self {
        Self { text: text.into(), ..Self::default() }
    }

    /// A parcel with data of this many bytes.
    pub(super) fn heavy(bytes: usize) -> Self {
        Self { data: vec![0xab; bytes].into(), ..Self::default() }
    }

    /// A parcel that protobuf encodes in just this many bytes, of which there are to be a few.
    pub(super) fn encoded_in(bytes: usize) -> Self {
        let mut parcel = Self::heavy(bytes);
        let surplus = prost::Message::encoded_len(&parcel).saturating_sub(bytes);
        parcel.data.truncate(bytes.saturating_sub(surplus));
        parcel
    }
}

/// What the conformance suite calls.
#[polywire::service(package = "polywire.conformance.v1")]
pub(super) trait Probe {
    /// One message for one.
    async fn unary(&self, cx: &Context, parcel: Parcel) -> Result<Response<Parcel>, Status>;

    /// Any number of messages for one.
    async fn download(&self, cx: &Context, parcel: Parcel) -> Result<Response<Streaming<Parcel>>, Status>;

    /// One message for any number.
    async fn upload(&self, cx: &Context, parcels: Streaming<Parcel>) -> Result<Response<Parcel>, Status>;

    /// Any number of messages for any number.
    async fn exchange(
        &self,
        cx: &Context,
        parcels: Streaming<Parcel>,
    ) -> Result<Response<Streaming<Parcel>>, Status>;
}

/// What a handler is told of a call beside its messages.
#[derive(Clone, Debug)]
pub(super) struct Arrival {
    pub(super) metadata: Metadata,
    pub(super) time_left: Option<Duration>,
    pub(super) codec: Option<Codec>,
    pub(super) compression: Option<Compression>,
    pub(super) caller: Option<Caller>,
}

impl From<&Context> for Arrival {
    fn from(cx: &Context) -> Self {
        Self {
            metadata: cx.metadata().clone(),
            time_left: cx.time_left(),
            codec: cx.codec(),
            compression: cx.compression(),
            caller: cx.caller().cloned(),
        }
    }
}

type Answer<O> = Pin<Box<dyn Future<Output = Result<Response<O>, Status>> + Send>>;
type Handler<I, O> = Arc<dyn Fn(Arrival, I) -> Answer<O> + Send + Sync>;

fn handler<I, O, R, F, A>(handle: F) -> Handler<I, O>
where
    F: Fn(Arrival, I) -> A + Send + Sync + 'static,
    A: Future<Output = Result<R, Status>> + Send + 'static,
    R: Into<Response<O>>,
{
    Arc::new(move |arrival, input| {
        let answer = handle(arrival, input);
        Box::pin(async move { answer.await.map(Into::into) })
    })
}

/// A probe that echoes, but for what a case scripts, and every handler is counted for as long as it
/// or its stream lives.
#[derive(Clone)]
pub(super) struct Script {
    live: Live,
    unary: Handler<Parcel, Parcel>,
    download: Handler<Parcel, Streaming<Parcel>>,
    upload: Handler<Streaming<Parcel>, Parcel>,
    exchange: Handler<Streaming<Parcel>, Streaming<Parcel>>,
}

impl Script {
    /// Echoes: `unary` gives its parcel back, `download` as many numbered parcels as its number says, `upload`
    /// how many came, `exchange` each parcel.
    pub(super) fn new(live: Live) -> Self {
        Self {
            live,
            unary: handler(async |_, parcel| Ok::<Parcel, _>(parcel)),
            download: handler(async |_, parcel: Parcel| {
                Ok(Streaming::from_iter((0..parcel.number).map(Parcel::numbered)))
            }),
            upload: handler(async |_, mut parcels: Streaming<Parcel>| {
                let mut count = 0;
                while parcels.message().await?.is_some() {
                    count += 1;
                }
                Ok(Parcel::numbered(count))
            }),
            exchange: handler(async |_, parcels: Streaming<Parcel>| {
                // A stream of its own, so that polling it runs code of a handler, as in most services.
                Ok(Streaming::new(parcels.map(|parcel| parcel)))
            }),
        }
    }

    pub(super) fn on_unary<R, F, A>(mut self, handle: F) -> Self
    where
        F: Fn(Arrival, Parcel) -> A + Send + Sync + 'static,
        A: Future<Output = Result<R, Status>> + Send + 'static,
        R: Into<Response<Parcel>>,
    {
        self.unary = handler(handle);
        self
    }

    pub(super) fn on_download<R, F, A>(mut self, handle: F) -> Self
    where
        F: Fn(Arrival, Parcel) -> A + Send + Sync + 'static,
        A: Future<Output = Result<R, Status>> + Send + 'static,
        R: Into<Response<Streaming<Parcel>>>,
    {
        self.download = handler(handle);
        self
    }

    pub(super) fn on_upload<R, F, A>(mut self, handle: F) -> Self
    where
        F: Fn(Arrival, Streaming<Parcel>) -> A + Send + Sync + 'static,
        A: Future<Output = Result<R, Status>> + Send + 'static,
        R: Into<Response<Parcel>>,
    {
        self.upload = handler(handle);
        self
    }

    pub(super) fn on_exchange<R, F, A>(mut self, handle: F) -> Self
    where
        F: Fn(Arrival, Streaming<Parcel>) -> A + Send + Sync + 'static,
        A: Future<Output = Result<R, Status>> + Send + 'static,
        R: Into<Response<Streaming<Parcel>>>,
    {
        self.exchange = handler(handle);
        self
    }
}

impl Probe for Script {
    async fn unary(&self, cx: &Context, parcel: Parcel) -> Result<Response<Parcel>, Status> {
        let _here = self.live.guard();
        (self.unary)(cx.into(), parcel).await
    }

    async fn download(&self, cx: &Context, parcel: Parcel) -> Result<Response<Streaming<Parcel>>, Status> {
        let here = self.live.guard();
        let response = (self.download)(cx.into(), parcel).await?;
        Ok(response.map(|parcels| parcels.holding(here)))
    }

    async fn upload(&self, cx: &Context, parcels: Streaming<Parcel>) -> Result<Response<Parcel>, Status> {
        let _here = self.live.guard();
        (self.upload)(cx.into(), parcels).await
    }

    async fn exchange(
        &self,
        cx: &Context,
        parcels: Streaming<Parcel>,
    ) -> Result<Response<Streaming<Parcel>>, Status> {
        let here = self.live.guard();
        let response = (self.exchange)(cx.into(), parcels).await?;
        Ok(response.map(|parcels| parcels.holding(here)))
    }
}
