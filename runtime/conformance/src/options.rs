//! What a service's table says of a method holds on every transport, whichever end knows it.

use std::{future::pending, time::Duration};

use futures_util::future::join_all;
use polywire::{Code, Codec, Context, Status};

use super::{
    NOTICE,
    check::{Verdict, ensure, fails, same, within},
    live::Live,
    probe::Parcel,
    rig::Rig,
};

/// The most that the table allows one method, in bytes.
const SMALL: usize = 1_024;

mod listed {
    use super::{Context, Parcel, Status};

    /// Methods that have bounds of their own.
    #[polywire::service(package = "polywire.conformance.v1")]
    pub(crate) trait Bounded {
        /// Answers within a second.
        #[rpc(timeout = "1s")]
        async fn brief(&self, cx: &Context, parcel: Parcel) -> Result<Parcel, Status>;

        /// Takes and gives no more than 1,024 bytes.
        #[rpc(max_message_bytes = 1024)]
        async fn small(&self, parcel: Parcel) -> Result<Parcel, Status>;
    }
}

mod unlisted {
    use super::{Parcel, Status};

    /// The same methods, to a client whose table says nothing of their bounds.
    #[polywire::service(package = "polywire.conformance.v1")]
    pub(crate) trait Bounded {
        async fn brief(&self, parcel: Parcel) -> Result<Parcel, Status>;

        async fn small(&self, parcel: Parcel) -> Result<Parcel, Status>;
    }
}

/// `brief` says how many milliseconds are left, or never ends for the number 1; `small` echoes, or answers with too
/// much for the number 1.
struct Answers(Live);

impl listed::Bounded for Answers {
    async fn brief(&self, cx: &Context, parcel: Parcel) -> Result<Parcel, Status> {
        let _here = self.0.guard();
        if parcel.number == 1 {
            pending::<()>().await;
        }
        let left = cx.time_left().map_or(u64::MAX, |left| left.as_millis().try_into().unwrap_or(u64::MAX));
        Ok(Parcel::numbered(left))
    }

    async fn small(&self, parcel: Parcel) -> Result<Parcel, Status> {
        Ok(if parcel.number == 1 { Parcel::heavy(2 * SMALL) } else { parcel })
    }
}

pub(super) async fn deadline(rig: Rig) -> Verdict {
    let served = rig.serve_any(listed::BoundedServer::new(Answers(rig.handlers.clone()))).await?;
    let channel = served.channel().await?;
    let (listed, unlisted) =
        (listed::BoundedClient::new(channel.clone()), unlisted::BoundedClient::new(channel));
    // The connection is made without a deadline.
    listed.small(Parcel::default()).await?;
    for left in
        [listed.brief(Parcel::default()).await?.number, unlisted.brief(Parcel::default()).await?.number]
    {
        let found = format!("expected at most 1 s left to a handler whose method has 1 s, found {left} ms");
        ensure(left <= 1_000, found)?;
    }
    let longer = Duration::from_secs(60);
    let calls = join_all([
        listed.brief(Parcel::numbered(1)).into_future(),
        listed.brief(Parcel::numbered(1)).timeout(longer).into_future(),
        unlisted.brief(Parcel::numbered(1)).into_future(),
    ]);
    let limit = Duration::from_secs(1) + NOTICE;
    for outcome in within(limit, "the end of calls past their deadline", calls).await? {
        fails(outcome, Code::DeadlineExceeded)?;
    }
    served.handlers(0).await?;
    served.one_connection()
}

pub(super) async fn limit(rig: Rig) -> Verdict {
    let served = rig.serve_any(listed::BoundedServer::new(Answers(rig.handlers.clone()))).await?;
    let channel = served.channel().await?;
    let (listed, unlisted) =
        (listed::BoundedClient::new(channel.clone()), unlisted::BoundedClient::new(channel));
    let fitting = Parcel::encoded_in(SMALL);
    let answer = listed.small(fitting.clone()).codec(Codec::Protobuf).await?;
    same("the size of the answer's data", &answer.data.len(), &fitting.data.len())?;
    for parcel in [Parcel::encoded_in(SMALL + 1), Parcel::numbered(1)] {
        fails(listed.small(parcel.clone()).codec(Codec::Protobuf).await, Code::ResourceExhausted)?;
        fails(unlisted.small(parcel).codec(Codec::Protobuf).await, Code::ResourceExhausted)?;
    }
    // The bound is the method's alone.
    unlisted.brief(Parcel::heavy(2 * SMALL)).await?;
    served.one_connection()
}
