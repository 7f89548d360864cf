use std::{sync::Arc, time::Duration};

use tokio::{sync::watch, task::JoinSet};

use super::{
    NOTICE,
    check::{Stop, Verdict, ensure, same, within},
    probe::{Parcel, ProbeClient},
    rig::Rig,
};

/// How many calls are made at once where no limit was given.
const MANY: usize = 1_000;

/// How long no call may come in beyond the limit.
const QUIET: Duration = Duration::from_millis(200);

pub(super) async fn at_once(rig: Rig) -> Verdict {
    let (crowd, gate) = (Arc::new(watch::Sender::new(0)), watch::Sender::new(rig.concurrency.is_none()));
    let (counted, gated) = (crowd.clone(), gate.subscribe());
    let script = rig.script().on_unary(move |_, parcel: Parcel| {
        let (crowd, mut gate) = (counted.clone(), gated.clone());
        async move {
            crowd.send_modify(|now| *now += 1);
            let _ = gate.wait_for(|open| *open).await;
            crowd.send_modify(|now| *now -= 1);
            Ok(parcel)
        }
    });
    let served = rig.serve(script).await?;
    let client = served.client().await?;
    let calls = rig.concurrency.map_or(MANY, |limit| 3 * limit);
    let calling = tokio::spawn(async move { call_many(&client, calls).await });
    if let Some(limit) = rig.concurrency {
        // No call ends before as many run as the limit allows: so many really run at once, and no more.
        let mut crowd = crowd.subscribe();
        let full = crowd.wait_for(|now| *now >= limit);
        within(NOTICE, "as many calls at once as the limit allows", full).await?.ok();
        let over = tokio::time::timeout(QUIET, crowd.wait_for(|now| *now > limit)).await;
        let found = format!("expected at most {limit} calls at a time on a connection, found more");
        ensure(over.is_err(), found)?;
        gate.send_replace(true);
    }
    calling.await.map_err(|error| Stop::failed(format_args!("the calls panicked: {error}")))??;
    served.one_connection()
}

/// Makes this many calls at once, each of which must be answered by what it sent.
pub(super) async fn call_many(client: &ProbeClient, calls: usize) -> Verdict {
    let mut running = JoinSet::new();
    for number in 0..calls as u64 {
        let call = client.unary(Parcel::numbered(number)).into_future();
        running.spawn(async move { (number, call.await) });
    }
    while let Some(ended) = running.join_next().await {
        let (number, answer) =
            ended.map_err(|error| Stop::failed(format_args!("a call panicked: {error}")))?;
        same("the answer's number", &answer?.number, &number)?;
    }
    Ok(())
}
