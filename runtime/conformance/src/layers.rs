//! Layers around either end, which see every call and change what it carries.

use polywire::{
    Channel, Code, Context, Method, Payload, Response, Service, ServiceExt as _, ServiceInfo, Status,
    Streaming, layer::wrap,
};

use super::{
    certainty::each_shape,
    check::{Verdict, fails, same},
    probe::{Parcel, ProbeClient, ProbeServer},
    rig::Rig,
};

/// The entry of the metadata that lets a call in.
const ENTRY: &str = "pass";

/// What it must be.
const PASS: &str = "open sesame";

/// Around a server: lets those calls in that bring the pass.
struct Door(Channel);

impl Door {
    fn check(cx: &Context) -> Result<(), Status> {
        match cx.metadata().get(ENTRY) {
            Some(PASS) => Ok(()),
            Some(_) => Err(Status::unauthenticated("the pass is not known here").not_processed()),
            None => Err(Status::unauthenticated("there is no pass").not_processed()),
        }
    }
}

impl Service for Door {
    async fn unary(&self, cx: Context, message: Payload) -> Result<Response<Payload>, Status> {
        Self::check(&cx)?;
        self.0.unary(cx, message).await
    }

    async fn stream(
        &self,
        cx: Context,
        messages: Streaming<Payload>,
    ) -> Result<Response<Streaming<Payload>>, Status> {
        Self::check(&cx)?;
        self.0.stream(cx, messages).await
    }

    fn method(&self, path: &str) -> Option<&'static Method> {
        self.0.method(path)
    }

    fn services(&self) -> Vec<ServiceInfo> {
        self.0.services()
    }
}

/// Around a client: adds the pass to each call.
struct Bringing {
    inner: Channel,
    pass: &'static str,
}

impl Bringing {
    fn with_pass(&self, mut cx: Context) -> Result<Context, Status> {
        let added = cx.metadata_mut().insert(ENTRY, self.pass);
        added.map_err(|error| Status::internal(error.to_string()))?;
        Ok(cx)
    }
}

impl Service for Bringing {
    async fn unary(&self, cx: Context, message: Payload) -> Result<Response<Payload>, Status> {
        self.inner.unary(self.with_pass(cx)?, message).await
    }

    async fn stream(
        &self,
        cx: Context,
        messages: Streaming<Payload>,
    ) -> Result<Response<Streaming<Payload>>, Status> {
        self.inner.stream(self.with_pass(cx)?, messages).await
    }
}

fn bringing(channel: &Channel, pass: &'static str) -> ProbeClient {
    ProbeClient::new(channel.clone().layer(&wrap(move |inner| Bringing { inner, pass })))
}

pub(super) async fn both_ends(rig: Rig) -> Verdict {
    let script = rig.script().on_unary(async |arrival, _: Parcel| {
        Ok(Parcel::text(arrival.metadata.get("tenant").unwrap_or("none")))
    });
    let served = rig.serve_any(ProbeServer::new(script).layer(&wrap(Door))).await?;
    let channel = served.channel().await?;
    let without = ProbeClient::new(channel.clone());
    for (client, said) in
        [(without, "there is no pass"), (bringing(&channel, "open barley"), "the pass is not known here")]
    {
        for outcome in each_shape(&client).await {
            let refusal = fails(outcome, Code::Unauthenticated)?;
            same("what the server's layer says", refusal.message(), said)?;
        }
    }
    let client = bringing(&channel, PASS);
    for outcome in each_shape(&client).await {
        outcome?;
    }
    let answer = client.unary(Parcel::default()).metadata("tenant", "blue").await?;
    same("the caller's own metadata beside the layer's", answer.text.as_str(), "blue")?;
    served.one_connection()
}
