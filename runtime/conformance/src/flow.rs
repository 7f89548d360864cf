use std::{sync::Arc, time::Duration};

use polywire::{Status, Streaming};
use tokio::sync::watch;

use super::{
    NOTICE,
    check::{Stop, Verdict, some, within},
    probe::Parcel,
    rig::Rig,
};

/// The size of one message.
const SIZE: usize = 64 << 10;

/// How far a sender may be ahead of a reader that rests, in bytes: every window and buffer on the way,
/// generously. Those of QUIC and HTTP/2, of both ends, are 1 to 8 MiB.
const AHEAD: usize = 32 << 20;

/// How long the count must stand still to count as stopped.
const QUIET: Duration = Duration::from_millis(300);

/// How many messages have been taken off a stream.
pub(super) type Taken = Arc<watch::Sender<usize>>;

/// Messages without end, counted as they are taken.
pub(super) fn endless(taken: Taken) -> Streaming<Parcel> {
    Streaming::new(futures_util::stream::unfold((), move |()| {
        taken.send_modify(|count| *count += 1);
        async {
            // Within a process nothing else would ever wait.
            tokio::task::yield_now().await;
            Some((Ok::<_, Status>(Parcel::heavy(SIZE)), ()))
        }
    }))
}

/// Waits until no more is taken, and gives how many were.
async fn stopped(taken: &Taken) -> Result<usize, Stop> {
    let mut changes = taken.subscribe();
    loop {
        let count = *changes.borrow_and_update();
        let ahead = count * SIZE;
        if ahead > AHEAD {
            return Err(Stop::failed(format_args!(
                "expected a sender to wait for its reader after at most {AHEAD} bytes, found it {ahead} bytes ahead"
            )));
        }
        let quiet = tokio::time::timeout(QUIET, changes.changed()).await.is_err();
        if quiet && count > 0 {
            return Ok(count);
        }
    }
}

/// Waits until many more than `count` have been taken.
async fn goes_on(taken: &Taken, count: usize) -> Verdict {
    let mut changes = taken.subscribe();
    let more = changes.wait_for(|now| *now > count + 100);
    within(NOTICE, "more messages once the reader reads", more).await.map(|_| ())
}

pub(super) async fn slow_caller(rig: Rig) -> Verdict {
    let taken = Taken::default();
    let counter = taken.clone();
    let script = rig.script().on_download(move |_, _: Parcel| {
        let parcels = endless(counter.clone());
        async move { Ok(parcels) }
    });
    let served = rig.serve(script).await?;
    let client = served.client().await?;
    let mut answers = client.download(Parcel::default()).await?;
    some(answers.message().await)?;
    let count = within(3 * NOTICE, "the sender's rest", stopped(&taken)).await??;
    let reading = async {
        for _ in 0..count + 200 {
            some(answers.message().await)?;
        }
        Ok::<(), Stop>(())
    };
    within(3 * NOTICE, "what was sent meanwhile, and more", reading).await??;
    goes_on(&taken, count).await
}

pub(super) async fn slow_handler(rig: Rig) -> Verdict {
    let (go, gate) = watch::channel(false);
    let script = rig.script().on_upload(move |_, mut parcels: Streaming<Parcel>| {
        let mut gate = gate.clone();
        async move {
            parcels.message().await?;
            let _ = gate.wait_for(|open| *open).await;
            while parcels.message().await?.is_some() {}
            Ok(Parcel::default())
        }
    });
    let served = rig.serve(script).await?;
    let client = served.client().await?;
    let taken = Taken::default();
    let call = tokio::spawn(client.upload(endless(taken.clone())).into_future());
    let count = within(3 * NOTICE, "the caller's rest", stopped(&taken)).await??;
    go.send_replace(true);
    let outcome = goes_on(&taken, count).await;
    call.abort();
    outcome
}

pub(super) async fn others_pass(rig: Rig) -> Verdict {
    let script = rig.script().on_download(async |_, _: Parcel| Ok(endless(Taken::default())));
    let served = rig.serve(script).await?;
    let client = served.client().await?;
    let mut blocked = client.download(Parcel::default()).await?;
    some(blocked.message().await)?;
    for number in 0..100 {
        let passing = client.unary(Parcel::numbered(number)).into_future();
        within(NOTICE, "an answer beside an unread stream", passing).await??;
    }
    some(blocked.message().await)?;
    served.one_connection()
}
