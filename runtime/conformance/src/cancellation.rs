use std::{future::pending, sync::Arc, time::Instant};

use futures_util::FutureExt;
use polywire::{Code, Status, Streaming};
use tokio::{runtime::Handle, sync::mpsc};

use super::{
    NOTICE,
    check::{Stop, Verdict, ended, ensure, fails, same, some, within},
    flow::endless,
    probe::{Parcel, ProbeClient, Script},
    rig::{Rig, Served},
};

/// Handlers that wait for ever; `unary` answers what has the number 0.
fn waiting(rig: &Rig) -> Script {
    rig.script()
        .on_unary(async |_, parcel: Parcel| {
            if parcel.number != 0 {
                pending::<()>().await;
            }
            Ok(parcel)
        })
        .on_upload(async |_, parcels: Streaming<Parcel>| {
            pending::<()>().await;
            drop(parcels);
            Ok(Parcel::default())
        })
        .on_exchange(async |_, parcels: Streaming<Parcel>| {
            let endless = futures_util::stream::pending::<Result<Parcel, Status>>();
            // The requests are alive for as long as the answers are.
            Ok(Streaming::new(endless).holding(parcels))
        })
}

async fn still_served(served: &Served, client: &ProbeClient) -> Verdict {
    let next = client.unary(Parcel::default()).into_future();
    within(NOTICE, "the answer to the next call", next).await??;
    served.one_connection()
}

pub(super) async fn call_dropped(rig: Rig) -> Verdict {
    let served = rig.serve(waiting(&rig)).await?;
    let client = served.connected().await?;
    let call = client.unary(Parcel::numbered(1)).into_future();
    tokio::select! {
        outcome = call => return Err(unexpected(outcome)),
        begun = served.handlers(1) => begun?,
    }
    served.handlers(0).await?;
    still_served(&served, &client).await
}

pub(super) async fn dropped_at_once(rig: Rig) -> Verdict {
    let served = rig.serve(waiting(&rig)).await?;
    let client = served.connected().await?;
    let before = Handle::current().metrics().num_alive_tasks();
    // Fewer than may run at a time, so that those which are dropped and go on would not hold the others up.
    for _ in 0..rig.concurrency.map_or(100, |limit| limit.div_ceil(2)) {
        let mut call = client.unary(Parcel::numbered(1)).into_future();
        if let Some(outcome) = (&mut call).now_or_never() {
            return Err(unexpected(outcome));
        }
    }
    // A call that is queued behind these has its answer when each of them has had its turn. What a faulty transport
    // goes on with may have been queued as a task instead: each has had its turn when no more tasks are left than
    // there were, or when they have had time enough for it.
    still_served(&served, &client).await?;
    let by = Instant::now() + NOTICE;
    while Handle::current().metrics().num_alive_tasks() > before && Instant::now() < by {
        still_served(&served, &client).await?;
    }
    // Of the handlers that began, which may be none, each has been dropped.
    served.handlers(0).await
}

pub(super) async fn stream_dropped(rig: Rig) -> Verdict {
    let served = rig.serve(waiting(&rig)).await?;
    let client = served.connected().await?;
    let (sender, parcels) = Streaming::channel(1);
    let call = client.upload(parcels).into_future();
    tokio::select! {
        outcome = call => return Err(unexpected(outcome)),
        begun = served.handlers(1) => begun?,
    }
    served.handlers(0).await?;
    within(NOTICE, "the end of the request stream", sender.closed()).await?;
    still_served(&served, &client).await
}

pub(super) async fn answers_dropped(rig: Rig) -> Verdict {
    let served = rig.serve(waiting(&rig)).await?;
    let client = served.connected().await?;
    let (sender, parcels) = Streaming::channel(1);
    let _ = sender.send(Ok(Parcel::default())).await;
    let answers = client.exchange(parcels).await?;
    served.handlers(1).await?;
    drop(answers);
    served.handlers(0).await?;
    // And no requests are taken any more.
    within(NOTICE, "the end of the request stream", sender.closed()).await?;
    still_served(&served, &client).await
}

pub(super) async fn unread_dropped(rig: Rig) -> Verdict {
    let script = waiting(&rig).on_download(async |_, _: Parcel| Ok(endless(Arc::default())));
    let served = rig.serve(script).await?;
    let client = served.connected().await?;
    let mut answers = client.download(Parcel::default()).await?;
    some(answers.message().await)?;
    drop(answers);
    served.handlers(0).await?;
    still_served(&served, &client).await
}

pub(super) async fn requests_break_off(rig: Rig) -> Verdict {
    let (seen, mut sightings) = mpsc::unbounded_channel();
    let script = rig.script().on_upload(move |_, mut parcels: Streaming<Parcel>| {
        let seen = seen.clone();
        async move {
            let end = loop {
                match parcels.message().await {
                    Ok(Some(parcel)) => drop(seen.send(parcel.text)),
                    Ok(None) => break Ok(Parcel::default()),
                    Err(status) => break Err(status),
                }
            };
            let _ = seen.send(if end.is_ok() { "an end" } else { "a break" }.to_owned());
            end
        }
    });
    let served = rig.serve(script).await?;
    let client = served.client().await?;
    let (sender, parcels) = Streaming::channel(1);
    let call = tokio::spawn(client.upload(parcels).into_future());
    let _ = sender.send(Ok(Parcel::text("whole"))).await;
    let first = within(NOTICE, "the first request at the handler", sightings.recv()).await?;
    same("the first request", &first.as_deref(), &Some("whole"))?;
    let _ = sender.send(Err(Status::data_loss("the scanner broke"))).await;
    let outcome = within(NOTICE, "the end of the call", call).await?;
    let status =
        fails(outcome.unwrap_or_else(|error| Err(Status::internal(error.to_string()))), Code::DataLoss)?;
    same("the message", status.message(), "the scanner broke")?;
    served.handlers(0).await?;
    // A handler that was dropped says nothing.
    let last = sightings.try_recv();
    ensure(
        last.as_deref() != Ok("an end"),
        "expected a handler to see that requests broke off, found it saw their end",
    )?;
    client.unary(Parcel::default()).await?;
    served.one_connection()
}

pub(super) async fn handler_ends_early(rig: Rig) -> Verdict {
    let script = rig
        .script()
        .on_upload(async |_, mut parcels: Streaming<Parcel>| Ok(parcels.message().await?.unwrap_or_default()))
        .on_exchange(async |_, mut parcels: Streaming<Parcel>| {
            Ok(Streaming::once(parcels.message().await?.unwrap_or_default()))
        });
    let served = rig.serve(script).await?;
    let client = served.client().await?;
    let (sender, parcels) = Streaming::channel(1);
    let _ = sender.send(Ok(Parcel::text("first"))).await;
    same("the answer", client.upload(parcels).await?.text.as_str(), "first")?;
    within(NOTICE, "the end of the request stream", sender.closed()).await?;
    let (sender, parcels) = Streaming::channel(1);
    let _ = sender.send(Ok(Parcel::text("first"))).await;
    let mut answers = client.exchange(parcels).await?;
    same("the answer", some(answers.message().await)?.text.as_str(), "first")?;
    ended(answers.message().await)?;
    within(NOTICE, "the end of the request stream", sender.closed()).await?;
    served.one_connection()
}

pub(super) async fn unread_requests(rig: Rig) -> Verdict {
    let script = rig
        .script()
        .on_upload(async |_, _: Streaming<Parcel>| Ok(Parcel::text("enough")))
        .on_exchange(async |_, _: Streaming<Parcel>| Err::<Streaming<Parcel>, _>(Status::aborted("enough")));
    let served = rig.serve(script).await?;
    let client = served.client().await?;
    for _ in 0..10 {
        let call = client.upload(endless(Arc::default())).into_future();
        let answer = within(NOTICE, "the answer of a handler that reads nothing", call).await??;
        same("the answer", answer.text.as_str(), "enough")?;
        let call = client.exchange(endless(Arc::default())).into_future();
        let outcome = within(NOTICE, "the status of a handler that reads nothing", call).await?;
        fails(outcome, Code::Aborted)?;
    }
    client.unary(Parcel::default()).await?;
    served.one_connection()
}

#[track_caller]
fn unexpected<T: std::fmt::Debug>(outcome: Result<T, Status>) -> Stop {
    Stop::failed(format_args!("expected the call to wait, found {outcome:?}"))
}
