//! Whether the caller of a call that failed is told what is true: that no handler saw it, or that one may have.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use polywire::{Code, Context, Payload, Response, Service, Status, Streaming};

use super::{
    check::{Verdict, ensure, fails, same, some},
    probe::{Parcel, ProbeClient},
    rig::Rig,
};

/// Refuses calls before any handler, as a server does that is at a limit, and counts them.
#[derive(Clone, Default)]
struct Full(Arc<AtomicUsize>);

impl Service for Full {
    async fn unary(&self, _: Context, _: Payload) -> Result<Response<Payload>, Status> {
        self.0.fetch_add(1, Ordering::SeqCst);
        Err(full())
    }

    async fn stream(
        &self,
        _: Context,
        _: Streaming<Payload>,
    ) -> Result<Response<Streaming<Payload>>, Status> {
        self.0.fetch_add(1, Ordering::SeqCst);
        Err(full())
    }
}

fn full() -> Status {
    Status::unavailable("full for now").not_processed()
}

/// The outcome of a call of each shape.
pub(super) async fn each_shape(client: &ProbeClient) -> [Result<(), Status>; 4] {
    let parcels = || Streaming::from_iter([Parcel::numbered(1), Parcel::numbered(2)]);
    [
        client.unary(Parcel::default()).await.map(drop),
        client.download(Parcel::default()).await.map(drop),
        client.upload(parcels()).await.map(drop),
        client.exchange(parcels()).await.map(drop),
    ]
}

pub(super) async fn unseen(rig: Rig) -> Verdict {
    let refusing = Full::default();
    let served = rig.serve_any(refusing.clone()).await?;
    let client = served.client().await?;
    for outcome in each_shape(&client).await {
        let status = fails(outcome, Code::Unavailable)?;
        let found = format!("expected a status that says that nothing was processed, found {status:?}");
        ensure(status.is_not_processed(), found)?;
    }
    // Whether it is made again is for those to decide who know of other ways.
    same("how often the server was asked", &refusing.0.load(Ordering::SeqCst), &4)?;
    served.one_connection()
}

pub(super) async fn seen(rig: Rig) -> Verdict {
    let script = rig
        .script()
        .on_unary(async |_, _| Err::<Parcel, _>(full()))
        .on_download(async |_, parcel: Parcel| match parcel.number {
            0 => Err(full()),
            _ => Ok(Streaming::new(futures_util::stream::iter([Ok(parcel), Err(full())]))),
        })
        .on_upload(async |_, _| Err::<Parcel, _>(full()))
        .on_exchange(async |_, _| Err::<Streaming<Parcel>, _>(full()));
    let served = rig.serve(script).await?;
    let client = served.client().await?;
    for outcome in each_shape(&client).await {
        may_have_been_processed(&fails(outcome, Code::Unavailable)?)?;
    }
    let mut answers = client.download(Parcel::numbered(1)).await?;
    some(answers.message().await)?;
    may_have_been_processed(&fails(answers.message().await, Code::Unavailable)?)?;
    served.one_connection()
}

/// A handler had seen the call, and says what another server told it.
#[track_caller]
fn may_have_been_processed(status: &Status) -> Verdict {
    let found = format!("expected a status that does not deny what a handler saw, found {status:?}");
    ensure(!status.is_not_processed(), found)
}
