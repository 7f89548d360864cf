use std::{error::Error, fmt, sync::Arc};

use bytes::Bytes;
use polywire::{Caller, Code, Codec, Context, Payload, Service, Status, Streaming};

use super::{
    check::{Stop, Verdict, ended, ensure, fails, same, some},
    probe::{Parcel, ProbeClient},
    rig::Rig,
};

/// Text that is neither ASCII nor one line, and that looks escaped already.
const MESSAGE: &str = "100 % größer als %41 ∞\n二行目\t\u{1F980}";

/// The failure whose code has this number.
fn failure(number: u64) -> Status {
    let details = vec![0, 0xff, number.to_le_bytes()[0], b'\n'];
    Status::new(Code::from_number(number), format!("{number}: {MESSAGE}")).with_details(details)
}

/// Every code but `Ok`, which is no failure.
fn numbers() -> impl Iterator<Item = u64> {
    Code::ALL.iter().filter(|code| **code != Code::Ok).map(|code| u64::from(code.number()))
}

#[track_caller]
fn is_failure<T: fmt::Debug>(outcome: Result<T, Status>, number: u64) -> Result<(), Stop> {
    let expected = failure(number);
    let found = fails(outcome, expected.code())?;
    same("the message", found.message(), expected.message())?;
    same("the details", found.details(), expected.details())
}

pub(super) async fn codes(rig: Rig) -> Verdict {
    let script = rig.script().on_unary(async |_, parcel: Parcel| Err::<Parcel, _>(failure(parcel.number)));
    let served = rig.serve(script).await?;
    let client = served.client().await?;
    for number in numbers() {
        is_failure(client.unary(Parcel::numbered(number)).await, number)?;
    }
    served.one_connection()
}

pub(super) async fn late_codes(rig: Rig) -> Verdict {
    let script = rig.script().on_download(async |_, parcel: Parcel| {
        let last = [Ok(Parcel::text("last")), Err(failure(parcel.number))];
        Ok(Streaming::new(futures_util::stream::iter(last)))
    });
    let served = rig.serve(script).await?;
    let client = served.client().await?;
    for number in numbers() {
        let mut answers = client.download(Parcel::numbered(number)).await?;
        same("the last message", &some(answers.message().await)?.text, "last")?;
        is_failure(answers.message().await, number)?;
        ended(answers.message().await)?;
    }
    served.one_connection()
}

pub(super) async fn undecodable(rig: Rig) -> Verdict {
    let served = rig.serve(rig.script()).await?;
    let channel = served.channel().await?;
    for codec in [Codec::Protobuf, Codec::MessagePack] {
        // In protobuf a field that is cut off, and in MessagePack an integer.
        let junk = || Payload::encoded(codec, Bytes::from_static(&[0x0a, 5, b'x']));
        for method in ["Unary", "Download", "Upload"] {
            let cx = Context::incoming(format!("/polywire.conformance.v1.Probe/{method}"), caller())?;
            let cx = cx.with_codec(codec);
            let outcome = match method {
                "Unary" => channel.unary(cx, junk()).await.map(|_| ()),
                _ => match channel.stream(cx, Streaming::once(junk())).await {
                    Ok(mut answers) => answers.message.message().await.map(|_| ()),
                    Err(status) => Err(status),
                },
            };
            fails(outcome, Code::InvalidArgument)?;
        }
    }
    ProbeClient::new(channel).unary(Parcel::default()).await?;
    served.one_connection()
}

/// An error of a handler's own.
#[derive(Debug)]
struct Cause;

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(CAUSE)
    }
}

impl Error for Cause {}

const CAUSE: &str = "the shelf in the cellar is empty";

pub(super) async fn cause(rig: Rig) -> Verdict {
    let script = rig.script().on_unary(async |_, _| {
        Err::<Parcel, _>(Status::failed_precondition("out of stock").with_source(Cause))
    });
    let served = rig.serve(script).await?;
    let status = fails(served.client().await?.unary(Parcel::default()).await, Code::FailedPrecondition)?;
    same("the message", status.message(), "out of stock")?;
    let told = format!("{status:?} {:?}", status.source());
    let kept = !told.contains("Cause") && !told.contains(CAUSE);
    ensure(kept, format_args!("expected that the cause stays at the server, found {told}"))
}

/// The client below a generated one.
pub(super) fn caller() -> Arc<Caller> {
    Arc::new(Caller::new("conformance").local())
}

pub(super) async fn early_failure(rig: Rig) -> Verdict {
    let script = rig
        .script()
        .on_upload(async |_, _| Err::<Parcel, _>(failure(9)))
        .on_exchange(async |_, _| Err::<Streaming<Parcel>, _>(failure(10)));
    let served = rig.serve(script).await?;
    let client = served.client().await?;
    let (_sender, parcels) = Streaming::channel(1);
    is_failure(client.upload(parcels).await, 9)?;
    let (_sender, parcels) = Streaming::channel(1);
    is_failure(client.exchange(parcels).await, 10)?;
    served.one_connection()
}
