use polywire::{Body, Call, Code, Method, Router, Streaming};

use super::{
    check::{Stop, Verdict, ended, fails, same, some},
    probe::{Parcel, ProbeClient, ProbeServer},
    rig::Rig,
};

pub(super) async fn unknown(rig: Rig) -> Verdict {
    const METHOD: Method = Method::unary("/polywire.conformance.v1.Probe/Nothing");
    const SERVICE: Method = Method::unary("/polywire.conformance.v2.Probe/Unary");
    const STREAM: Method = Method::bidi_streaming("/polywire.conformance.v1.Probe/Nothing");
    let served = rig.serve(rig.script()).await?;
    let channel = served.channel().await?;
    for method in [&METHOD, &SERVICE] {
        let call = Call::<Parcel>::new(&channel, method, Body::one(Parcel::default()));
        fails(call.await, Code::Unimplemented)?;
    }
    let (_sender, parcels) = Streaming::<Parcel>::channel(1);
    let call = Call::<Streaming<Parcel>>::new(&channel, &STREAM, Body::many(parcels));
    fails(call.await, Code::Unimplemented)?;
    ProbeClient::new(channel).unary(Parcel::default()).await?;
    served.one_connection()
}

pub(super) async fn come_and_go(rig: Rig) -> Verdict {
    let router = Router::new();
    let served = rig.serve_any(router.clone()).await?;
    let client = served.client().await?;
    fails(client.unary(Parcel::default()).await, Code::Unimplemented)?;
    router.add(ProbeServer::new(rig.script()));
    client.unary(Parcel::default()).await?;
    let (sender, parcels) = Streaming::channel(1);
    let _ = sender.send(Ok(Parcel::numbered(1))).await;
    let mut echoes = client.exchange(parcels).await?;
    some(echoes.message().await)?;
    router.remove("polywire.conformance.v1.Probe");
    fails(client.unary(Parcel::default()).await, Code::Unimplemented)?;
    // A call that is under way keeps its service.
    let _ = sender.send(Ok(Parcel::numbered(2))).await;
    same("the echo", &some(echoes.message().await)?.number, &2)?;
    drop(sender);
    ended(echoes.message().await)?;
    router.add(ProbeServer::new(rig.script()));
    client.unary(Parcel::default()).await?;
    served.one_connection()
}

pub(super) async fn caller(rig: Rig) -> Verdict {
    let script = rig.script().on_unary(async |arrival, _: Parcel| {
        Ok(Parcel::text(arrival.caller.map_or("none", |caller| caller.transport)))
    });
    let served = rig.serve(script).await?;
    let client = served.client().await?;
    let transport = client.unary(Parcel::default()).await?.text;
    same("the transport that the handler is told of", transport.as_str(), rig.ends.name())
}

pub(super) async fn target(rig: Rig) -> Verdict {
    let served = rig.serve(rig.script()).await?;
    let printed = served.target.to_string();
    let read = rig.ends.target(&printed).map_err(|problem| {
        Stop::failed(format_args!("expected that {printed:?} reads back, found: {problem}"))
    })?;
    same("the target that is read back", &read.to_string(), &printed)
}
