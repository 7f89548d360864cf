//! Calls that have not reached their handler: those beyond the limit of a connection, and those whose connection is
//! still being made.

use std::{
    future::{Future, pending},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use polywire::{Code, Status};
use tokio::{sync::watch, task::JoinSet};

use super::{
    NOTICE,
    check::{Stop, Verdict, ensure, fails, same, within},
    deadlines::SHORT,
    load::call_many,
    probe::{Parcel, ProbeClient, Script},
    rig::{Rig, Served},
};

/// How long a call is left waiting before it is dropped.
const WAITED: Duration = Duration::from_millis(200);

/// A server whose connection has no turn left: as many calls as it lets run at a time wait behind a gate.
struct Full {
    served: Served,
    client: ProbeClient,
    gate: watch::Sender<bool>,
    inside: JoinSet<Result<Parcel, Status>>,
    limit: usize,
    /// How many handlers of [`GONE`] have begun.
    begun: Arc<AtomicUsize>,
}

/// The number in the call that goes while it waits for its turn, and in the one that waits behind it: no other call has them.
const GONE: u64 = 1_000_001;
const BEHIND: u64 = 1_000_002;

impl Full {
    async fn of(rig: &Rig) -> Result<Self, Stop> {
        let Some(limit) = rig.concurrency else {
            let reason = "no limit of calls at a time on a connection was given";
            return Err(Stop::NotApplicable(reason.to_owned()));
        };
        let gate = watch::Sender::new(false);
        let begun = Arc::<AtomicUsize>::default();
        let served = rig.serve(gated(rig, &gate, begun.clone())).await?;
        // No call before these: QUIC gives the turns of calls that have ended back by the dozen.
        let client = served.client().await?;
        let mut inside = JoinSet::new();
        for _ in 0..limit {
            inside.spawn(client.unary(Parcel::default()).into_future());
        }
        served.handlers(limit).await?;
        Ok(Self { begun, served, client, gate, inside, limit })
    }

    /// Opens the gate: the calls inside are answered, and as many more behind the one that has gone, whose handler never begins.
    async fn empties(mut self) -> Verdict {
        // The client's end may take a moment to give the place in the queue up. A call that waited behind it shows that it had one.
        waits_and_is_dropped(self.client.unary(Parcel::numbered(BEHIND)).into_future()).await?;
        self.gate.send_replace(true);
        while let Some(ended) = self.inside.join_next().await {
            ended.map_err(|error| Stop::failed(format_args!("a call panicked: {error}")))??;
        }
        call_many(&self.client, self.limit).await?;
        self.served.handlers(0).await?;
        same("how many handlers of a call that had gone have begun", &self.begun.load(Ordering::SeqCst), &0)?;
        self.served.one_connection()
    }
}

fn gated(rig: &Rig, gate: &watch::Sender<bool>, begun: Arc<AtomicUsize>) -> Script {
    let gate = gate.subscribe();
    rig.script().on_unary(move |_, parcel: Parcel| {
        let mut gate = gate.clone();
        begun.fetch_add(usize::from(parcel.number == GONE), Ordering::SeqCst);
        async move {
            let _ = gate.wait_for(|open| *open).await;
            Ok(parcel)
        }
    })
}

/// Lets the call wait for a while, and drops it.
#[track_caller]
fn waits_and_is_dropped(call: impl Future<Output = Result<Parcel, Status>>) -> impl Future<Output = Verdict> {
    let place = std::panic::Location::caller();
    async move {
        match tokio::time::timeout(WAITED, call).await {
            Err(_) => Ok(()),
            Ok(found) => Err(Stop::at(place, format_args!("expected the call to wait, found {found:?}"))),
        }
    }
}

/// That the call fails at its deadline of [`SHORT`].
async fn fails_in_time(call: impl Future<Output = Result<Parcel, Status>>) -> Verdict {
    let begun = Instant::now();
    let outcome = within(SHORT + NOTICE, "the end of a call that waits past its deadline", call).await?;
    fails(outcome, Code::DeadlineExceeded)?;
    let taken = begun.elapsed();
    let found = format!("expected an end after {SHORT:?}, found one after {taken:?}");
    // A transport may end a call a little earlier, as it does one whose handler has begun.
    ensure(taken >= SHORT.mul_f32(0.8), found)
}

pub(super) async fn dropped_in_queue(rig: Rig) -> Verdict {
    let full = Full::of(&rig).await?;
    waits_and_is_dropped(full.client.unary(Parcel::numbered(GONE)).into_future()).await?;
    full.empties().await
}

pub(super) async fn deadline_in_queue(rig: Rig) -> Verdict {
    let full = Full::of(&rig).await?;
    fails_in_time(full.client.unary(Parcel::numbered(GONE)).timeout(SHORT).into_future()).await?;
    full.empties().await
}

/// A handler that never ends for the number 1, and echoes every other.
fn stuck(rig: &Rig) -> Script {
    rig.script().on_unary(async |_, parcel: Parcel| {
        if parcel.number == 1 {
            pending::<()>().await;
        }
        Ok(parcel)
    })
}

/// That a server which has begun to serve answers, and that no call from before goes on.
async fn served_anew(served: Served, client: ProbeClient) -> Verdict {
    for number in 2..12 {
        // The first may have to dial once more.
        let next = client.unary(Parcel::numbered(number)).into_future();
        let answer = within(2 * NOTICE, "the answer to the next call", next).await??;
        same("the answer's number", &answer.number, &number)?;
    }
    served.handlers(0).await
}

pub(super) async fn dropped_in_dial(rig: Rig) -> Verdict {
    let silent = rig.bind_only(stuck(&rig)).await?;
    let client = silent.client().await?;
    for _ in 0..3 {
        waits_and_is_dropped(client.unary(Parcel::numbered(1)).into_future()).await?;
    }
    served_anew(silent.serve(), client).await
}

pub(super) async fn deadline_in_dial(rig: Rig) -> Verdict {
    let silent = rig.bind_only(stuck(&rig)).await?;
    let client = silent.client().await?;
    fails_in_time(client.unary(Parcel::numbered(1)).timeout(SHORT).into_future()).await?;
    served_anew(silent.serve(), client).await
}
