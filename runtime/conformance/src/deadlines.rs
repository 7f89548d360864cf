use std::{
    future::pending,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use polywire::{
    Body, Call, Channel, Code, Context, Method, Payload, Response, Service, ServiceExt as _, ServiceInfo,
    Status, Streaming,
};

use super::{
    NOTICE,
    check::{Verdict, ensure, fails, same, some, within},
    flow::endless,
    probe::{Parcel, ProbeServer},
    rig::Rig,
    status::caller,
};

/// Long enough for a message to get through first, on a slow machine too.
pub(super) const SHORT: Duration = Duration::from_secs(1);

pub(super) async fn time_left(rig: Rig) -> Verdict {
    let script = rig.script().on_unary(async |arrival, _: Parcel| {
        let left = arrival.time_left.map_or(0, |left| left.as_millis());
        Ok(Parcel::numbered(u64::try_from(left).unwrap_or(u64::MAX)))
    });
    let served = rig.serve(script).await?;
    let client = served.connected().await?;
    let left = client.unary(Parcel::default()).timeout(Duration::from_secs(60)).await?.number;
    let found = format!("expected 58 to 60 s left of 60 s, found {left} ms");
    ensure((58_000..=60_000).contains(&left), found)?;
    let none = client.unary(Parcel::default()).await?.number;
    same("the time left of a call without a deadline, in ms", &none, &0)
}

pub(super) async fn before_handler(rig: Rig) -> Verdict {
    /// The unary method, called as if it took a stream.
    const STREAMED: Method = Method::client_streaming("/polywire.conformance.v1.Probe/Unary");
    let begun = Arc::new(AtomicUsize::new(0));
    let counter = begun.clone();
    let script = rig.script().on_unary(move |_, parcel: Parcel| {
        counter.fetch_add(1, Ordering::SeqCst);
        async { Ok(parcel) }
    });
    let served = rig.serve(script).await?;
    let channel = served.channel().await?;
    let past = Call::<Parcel>::new(&channel, &STREAMED, Body::one(Parcel::default()));
    fails(past.timeout(Duration::ZERO).await, Code::DeadlineExceeded)?;
    // The one message of a unary call never comes.
    let (_sender, parcels) = Streaming::<Parcel>::channel(1);
    let waiting = Call::<Parcel>::new(&channel, &STREAMED, Body::many(parcels));
    fails(waiting.timeout(SHORT).await, Code::DeadlineExceeded)?;
    same("the number of handlers that have begun", &begun.load(Ordering::SeqCst), &0)?;
    Call::<Parcel>::new(&channel, &STREAMED, Body::one(Parcel::default())).await?;
    served.one_connection()
}

/// A service that lets go of each call only when its time is over, and never of its thread meanwhile, so that nothing
/// before it can end the call first.
struct Holding(Channel);

impl Holding {
    fn hold(cx: &Context) {
        while cx.time_left().is_some_and(|left| !left.is_zero()) {
            std::thread::yield_now();
        }
    }
}

impl Service for Holding {
    async fn unary(&self, cx: Context, message: Payload) -> Result<Response<Payload>, Status> {
        Self::hold(&cx);
        self.0.unary(cx, message).await
    }

    async fn stream(
        &self,
        cx: Context,
        messages: Streaming<Payload>,
    ) -> Result<Response<Streaming<Payload>>, Status> {
        Self::hold(&cx);
        self.0.stream(cx, messages).await
    }

    fn method(&self, path: &str) -> Option<&'static Method> {
        self.0.method(path)
    }

    fn services(&self) -> Vec<ServiceInfo> {
        self.0.services()
    }
}

/// Long enough to arrive, and short for a thread to be held.
const HELD: Duration = Duration::from_millis(200);

pub(super) async fn over(rig: Rig) -> Verdict {
    let begun = Arc::new(AtomicUsize::new(0));
    let (unary, download) = (begun.clone(), begun.clone());
    let script = rig.script();
    let script = script.on_unary(move |_, parcel: Parcel| {
        unary.fetch_add(1, Ordering::SeqCst);
        async { Ok(parcel) }
    });
    let script = script.on_download(move |_, parcel: Parcel| {
        download.fetch_add(1, Ordering::SeqCst);
        async { Ok(Streaming::once(parcel)) }
    });
    let served = rig.serve_any(Holding(ProbeServer::new(script).into_channel())).await?;
    let client = served.connected().await?;
    fails(client.unary(Parcel::default()).timeout(HELD).await, Code::DeadlineExceeded)?;
    let outcome = match client.download(Parcel::default()).timeout(HELD).await {
        Ok(mut answers) => answers.message().await.map(|_| ()),
        Err(status) => Err(status),
    };
    fails(outcome, Code::DeadlineExceeded)?;
    // It is answered behind the others, wherever they were held.
    client.exchange(Streaming::empty()).await?;
    same("the number of handlers that have begun", &begun.load(Ordering::SeqCst), &0)?;
    served.one_connection()
}

pub(super) async fn in_handler(rig: Rig) -> Verdict {
    let script = rig.script().on_unary(async |_, parcel: Parcel| {
        pending::<()>().await;
        Ok(parcel)
    });
    let served = rig.serve(script).await?;
    let client = served.connected().await?;
    let begun = Instant::now();
    fails(client.unary(Parcel::default()).timeout(SHORT).await, Code::DeadlineExceeded)?;
    let taken = begun.elapsed();
    let found = format!("expected an end after {SHORT:?}, found one after {taken:?}");
    // A transport may end a call a little earlier, so that its own status is the one that arrives.
    ensure((SHORT.mul_f32(0.8)..SHORT + NOTICE).contains(&taken), found)?;
    served.handlers(0).await?;
    served.one_connection()
}

pub(super) async fn by_server(rig: Rig) -> Verdict {
    let script = rig.script().on_unary(async |_, parcel: Parcel| {
        pending::<()>().await;
        Ok(parcel)
    });
    let served = rig.serve(script).await?;
    let channel = served.channel().await?;
    // Below the generated client nothing on this side looks at the clock.
    let cx = Context::incoming("/polywire.conformance.v1.Probe/Unary", caller())?.with_timeout(SHORT);
    let call = channel.unary(cx, Payload::new(Parcel::default()));
    let outcome = within(SHORT + NOTICE, "the end of a call past its deadline", call).await?;
    fails(outcome.map(|response| response.metadata), Code::DeadlineExceeded)?;
    served.handlers(0).await
}

pub(super) async fn amid_requests(rig: Rig) -> Verdict {
    let served = rig.serve(rig.script()).await?;
    let client = served.connected().await?;
    let (sender, parcels) = Streaming::channel(1);
    let _ = sender.send(Ok(Parcel::default())).await;
    fails(client.upload(parcels).timeout(SHORT).await, Code::DeadlineExceeded)?;
    served.handlers(0).await?;
    within(NOTICE, "the end of the request stream", sender.closed()).await?;
    served.one_connection()
}

pub(super) async fn amid_answers(rig: Rig) -> Verdict {
    let served = rig.serve(rig.script()).await?;
    let client = served.connected().await?;
    let (sender, parcels) = Streaming::channel(1);
    let _ = sender.send(Ok(Parcel::numbered(1))).await;
    let mut echoes = client.exchange(parcels).timeout(SHORT).await?;
    same("the echo", &some(echoes.message().await)?.number, &1)?;
    fails(echoes.message().await, Code::DeadlineExceeded)?;
    served.handlers(0).await?;
    within(NOTICE, "the end of the request stream", sender.closed()).await?;
    served.one_connection()
}

pub(super) async fn amid_flow(rig: Rig) -> Verdict {
    let script = rig.script().on_download(async |_, _: Parcel| Ok(endless(Arc::default())));
    let served = rig.serve(script).await?;
    let client = served.connected().await?;
    let answers = client.download(Parcel::default()).timeout(SHORT).await?;
    let outcome = within(SHORT + NOTICE, "the end of a stream that never rests", to_the_end(answers)).await?;
    fails(outcome, Code::DeadlineExceeded)?;
    served.handlers(0).await?;
    served.one_connection()
}

/// Reads as fast as messages come.
async fn to_the_end(mut answers: Streaming<Parcel>) -> Result<(), Status> {
    while answers.message().await?.is_some() {}
    Ok(())
}

pub(super) async fn unread(rig: Rig) -> Verdict {
    let script = rig.script().on_download(async |_, _: Parcel| Ok(endless(Arc::default())));
    let served = rig.serve(script).await?;
    let client = served.connected().await?;
    let begun = served.begin(1);
    let answers = client.download(Parcel::default()).timeout(SHORT).await?;
    begun.await?;
    // It is not read, so the handler's stream rests at a full window, and learns of the deadline there.
    served.handlers(0).await?;
    fails(to_the_end(answers).await, Code::DeadlineExceeded)?;
    client.unary(Parcel::default()).await?;
    served.one_connection()
}
