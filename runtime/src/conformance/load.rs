use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use tokio::{sync::watch, task::JoinSet};

use super::{
    check::{Stop, Verdict, ensure, same},
    probe::{Parcel, ProbeClient},
    rig::Rig,
};

/// How many calls are made at once where nobody says how many run at a time.
const MANY: usize = 1_000;

/// How many handlers run now, and how many did at most.
#[derive(Default)]
struct Crowd {
    now: AtomicUsize,
    most: AtomicUsize,
}

pub(super) async fn at_once(rig: Rig) -> Verdict {
    let crowd = Arc::new(Crowd::default());
    let together = rig.concurrency.unwrap_or(1);
    let (open, gate) = watch::channel(false);
    let counted = crowd.clone();
    // Nobody leaves before as many are in as the limit lets in: so many really run at once.
    let script = rig.script().on_unary(move |_, parcel: Parcel| {
        let (crowd, open, mut gate) = (counted.clone(), open.clone(), gate.clone());
        async move {
            let now = crowd.now.fetch_add(1, Ordering::SeqCst) + 1;
            crowd.most.fetch_max(now, Ordering::SeqCst);
            if now == together {
                open.send_replace(true);
            }
            let _ = gate.wait_for(|open| *open).await;
            crowd.now.fetch_sub(1, Ordering::SeqCst);
            Ok(parcel)
        }
    });
    let served = rig.serve(script).await?;
    let client = served.client().await?;
    call_many(&client, rig.concurrency.map_or(MANY, |limit| 3 * limit)).await?;
    if let Some(limit) = rig.concurrency {
        let most = crowd.most.load(Ordering::SeqCst);
        let found = format!("expected at most {limit} calls at a time on a connection, found {most}");
        ensure(most <= limit, found)?;
    }
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
