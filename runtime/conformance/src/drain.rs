use std::time::Instant;

use polywire::{Code, Status, Streaming};
use tokio::sync::watch;

use super::{
    NOTICE,
    check::{Stop, Verdict, ended, fails, same, some, within},
    probe::{Parcel, ProbeClient, Script},
    rig::Rig,
};

/// `unary` waits at the gate with what has the number 1.
fn gated(rig: &Rig, gate: &watch::Sender<bool>) -> Script {
    let gate = gate.subscribe();
    rig.script().on_unary(move |_, parcel: Parcel| {
        let mut gate = gate.clone();
        async move {
            if parcel.number == 1 {
                let _ = gate.wait_for(|open| *open).await;
            }
            Ok(parcel)
        }
    })
}

pub(super) async fn finishes(rig: Rig) -> Verdict {
    let gate = watch::Sender::new(false);
    let mut served = rig.serve(gated(&rig, &gate)).await?;
    let client = served.connected().await?;
    let call = tokio::spawn(client.unary(Parcel::numbered(1)).into_future());
    let (sender, parcels) = Streaming::channel(1);
    let _ = sender.send(Ok(Parcel::numbered(0))).await;
    let mut echoes = client.exchange(parcels).await?;
    some(echoes.message().await)?;
    served.handlers(2).await?;

    served.drain.stop();
    for number in 1..10 {
        let _ = sender.send(Ok(Parcel::numbered(number))).await;
        same("the echo's number", &some(echoes.message().await)?.number, &number)?;
    }
    gate.send_replace(true);
    let answer = within(NOTICE, "the answer to a call in flight", call).await?;
    let answer = answer.unwrap_or_else(|error| Err(Status::internal(error.to_string())))?;
    same("the answer", &answer.number, &1)?;
    drop(sender);
    ended(echoes.message().await)?;
    within(NOTICE, "the end of serving once nothing is in flight", &mut served.serving).await.map(|_| ())
}

pub(super) async fn refuses(rig: Rig) -> Verdict {
    let gate = watch::Sender::new(false);
    let mut served = rig.serve(gated(&rig, &gate)).await?;
    let client = served.connected().await?;
    let call = tokio::spawn(client.unary(Parcel::numbered(1)).into_future());
    served.handlers(1).await?;
    let stranger = served.client().await?;

    served.drain.stop();
    for (client, whose) in [(&client, "a connection that was open"), (&stranger, "a new connection")] {
        let status = refusal(client).await?;
        if !status.is_not_processed() {
            rig.note(format!("a call refused on {whose} is UNAVAILABLE, and not said to be not processed"));
        }
        let again = fails(client.unary(Parcel::default()).await, Code::Unavailable);
        again.map_err(|_| Stop::failed("expected every further call refused, found one that was not"))?;
    }
    gate.send_replace(true);
    let answer = within(NOTICE, "the answer to a call in flight", call).await?;
    answer.unwrap_or_else(|error| Err(Status::internal(error.to_string())))?;
    within(NOTICE, "the end of serving once nothing is in flight", &mut served.serving).await.map(|_| ())
}

/// The first refusal. A client learns of the drain when the network has told it.
async fn refusal(client: &ProbeClient) -> Result<Status, Stop> {
    let by = Instant::now() + NOTICE;
    while Instant::now() < by {
        let call = client.unary(Parcel::default()).into_future();
        match within(NOTICE, "the end of a call while the server drains", call).await? {
            Ok(_) => tokio::task::yield_now().await,
            outcome => return fails(outcome, Code::Unavailable),
        }
    }
    Err(Stop::failed(format_args!("expected new calls refused within {NOTICE:?}, found none refused")))
}

pub(super) async fn idle(rig: Rig) -> Verdict {
    let mut served = rig.serve(rig.script()).await?;
    let _client = served.connected().await?;
    served.drain.stop();
    within(NOTICE, "the end of serving an idle connection", &mut served.serving).await.map(|_| ())
}

pub(super) async fn cut(rig: Rig) -> Verdict {
    let gate = watch::Sender::new(false);
    let mut served = rig.serve(gated(&rig, &gate)).await?;
    let client = served.connected().await?;
    let call = tokio::spawn(client.unary(Parcel::numbered(1)).into_future());
    let (_sender, parcels) = Streaming::channel(1);
    let mut echoes = client.exchange(parcels).await?;
    served.handlers(2).await?;
    served.drain.cut();
    let outcome = within(NOTICE, "the end of a call that is cut", call).await?;
    let outcome = outcome.unwrap_or_else(|error| Err(Status::internal(error.to_string())));
    let status = fails(outcome, Code::Unavailable)?;
    super::check::ensure(
        !status.is_not_processed(),
        "expected a status that does not deny what was processed, found one that does",
    )?;
    let outcome = within(NOTICE, "the end of answers that are cut", echoes.message()).await?;
    fails(outcome, Code::Unavailable)?;
    served.handlers(0).await?;
    within(NOTICE, "the end of serving after the cut", &mut served.serving).await.map(|_| ())
}
