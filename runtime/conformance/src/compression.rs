use bytes::Bytes;
use polywire::{Code, Codec, Compression, Context, Limits, Response, Streaming};

use super::{
    check::{Stop, Verdict, ended, ensure, fails, same, some},
    probe::{Arrival, Parcel, ProbeClient, Script},
    rig::Rig,
};

/// The size of a message that compression makes smaller.
const SIZE: usize = 10_000;

pub(super) async fn gzip(rig: Rig) -> Verdict {
    as_each_side_asks(rig, Compression::Gzip).await
}

pub(super) async fn zstd(rig: Rig) -> Verdict {
    as_each_side_asks(rig, Compression::Zstd).await
}

pub(super) async fn gzip_by_message(rig: Rig) -> Verdict {
    by_message(rig, Compression::Gzip).await
}

pub(super) async fn zstd_by_message(rig: Rig) -> Verdict {
    by_message(rig, Compression::Zstd).await
}

pub(super) async fn gzip_bomb(rig: Rig) -> Verdict {
    bomb(rig, Compression::Gzip).await
}

pub(super) async fn zstd_bomb(rig: Rig) -> Verdict {
    bomb(rig, Compression::Zstd).await
}

/// Those that the build has.
fn all_known() -> impl Iterator<Item = Compression> {
    Compression::ALL.into_iter().filter(|compression| compression.is_supported())
}

/// Leaves the case out where the build does not have it.
fn known(compression: Compression) -> Verdict {
    if compression.is_supported() {
        return Ok(());
    }
    Err(Stop::NotApplicable(format!("this build is without the feature `{compression}`")))
}

fn name(compression: Option<Compression>) -> &'static str {
    compression.map_or("plain", Compression::name)
}

/// Answers tell how the requests came. Those to a `number` other than 0 are compressed with this; of a stream, those
/// alone.
fn telling(rig: &Rig, compression: Compression) -> Script {
    let told = move |arrival: Arrival, parcel: Parcel| {
        let compressed = (parcel.number != 0).then_some(compression);
        let text = name(arrival.compression).to_owned();
        Response { compression: compressed, ..Response::new(Parcel { text, ..parcel }) }
    };
    rig.script().on_unary(move |arrival, parcel| async move { Ok(told(arrival, parcel)) }).on_exchange(
        move |_, parcels: Streaming<Parcel>| async move {
            let answers = futures_util::stream::unfold(parcels, async |mut parcels| {
                let parcel = parcels.message().await.transpose()?;
                let text = name(parcels.last_compression()).to_owned();
                Some((parcel.map(|parcel| Parcel { text, ..parcel }), parcels))
            });
            let answers = Streaming::new(answers).compress_if(|parcel: &Parcel| parcel.number != 0);
            Ok(Response::new(answers).with_compression(compression))
        },
    )
}

fn large(number: u64) -> Parcel {
    Parcel { number, ..Parcel::heavy(SIZE) }
}

async fn as_each_side_asks(rig: Rig, compression: Compression) -> Verdict {
    known(compression)?;
    let served = rig.serve(telling(&rig, compression)).await?;
    let client = served.client().await?;
    for (asked, number) in [(None, 0), (None, 1), (Some(compression), 0), (Some(compression), 1)] {
        let call = client.unary(large(number));
        let call = match asked {
            Some(compression) => call.compression(compression),
            None => call,
        };
        let response = call.response().await?;
        same("how the request came", response.message.text.as_str(), name(asked))?;
        same("how the answer came", name(response.compression), name((number != 0).then_some(compression)))?;
        same("the size of the answer's data", &response.message.data.len(), &SIZE)?;
    }
    served.one_connection()
}

async fn by_message(rig: Rig, compression: Compression) -> Verdict {
    known(compression)?;
    let served = rig.serve(telling(&rig, compression)).await?;
    let client = served.client().await?;
    let choices = [1, 0, 1, 1, 0];
    let parcels = Streaming::from_iter(choices.map(large)).compress_if(|parcel: &Parcel| parcel.number != 0);
    let response = client.exchange(parcels).compression(compression).response().await?;
    same("how the answers are announced", name(response.compression), name(Some(compression)))?;
    let mut answers = response.message;
    for number in choices {
        let answer = some(answers.message().await)?;
        let expected = name((number != 0).then_some(compression));
        same("how a request came", answer.text.as_str(), expected)?;
        same("how its answer came", name(answers.last_compression()), expected)?;
        same("the size of the answer's data", &answer.data.len(), &SIZE)?;
    }
    ended(answers.message().await)?;
    served.one_connection()
}

pub(super) async fn mixed(rig: Rig) -> Verdict {
    const WAYS: [Option<Compression>; 3] = [None, Some(Compression::Gzip), Some(Compression::Zstd)];
    known(Compression::Gzip)?;
    known(Compression::Zstd)?;
    let script = rig.script().on_unary(async |arrival, parcel: Parcel| {
        let compression = usize::try_from(parcel.number).ok().and_then(|at| *WAYS.get(at)?);
        let text = name(arrival.compression).to_owned();
        Ok(Response { compression, ..Response::new(Parcel { text, ..parcel }) })
    });
    let served = rig.serve(script).await?;
    let client = served.client().await?;
    for asked in [Compression::Gzip, Compression::Zstd] {
        for (number, answered) in (0..).zip(WAYS) {
            let response = client.unary(large(number)).compression(asked).response().await?;
            same("how the request came", response.message.text.as_str(), name(Some(asked)))?;
            same("how the answer came", name(response.compression), name(answered))?;
        }
    }
    served.one_connection()
}

pub(super) async fn whole_stream(rig: Rig) -> Verdict {
    let compression = all_known().last();
    let script = rig.script().on_download(move |_, parcel: Parcel| async move {
        let response = Response::new(Streaming::from_iter([large(0), large(1)]));
        let compression = compression.filter(|_| parcel.number != 0);
        Ok(Response { compression, ..response })
    });
    let Some(compression) = compression else { return none_known() };
    let served = rig.serve(script).await?;
    let client = served.client().await?;
    for (number, expected) in [(0, None), (1, Some(compression))] {
        let mut answers = client.download(Parcel::numbered(number)).await?;
        for _ in 0..2 {
            some(answers.message().await)?;
            same("how an answer came", name(answers.last_compression()), name(expected))?;
        }
        ended(answers.message().await)?;
    }
    served.one_connection()
}

pub(super) async fn of_context(rig: Rig) -> Verdict {
    known(Compression::Gzip)?;
    known(Compression::Zstd)?;
    let served = rig.serve(telling(&rig, Compression::Gzip)).await?;
    let client = served.client().await?;
    let cx = Context::new().with_compression(Compression::Gzip);
    let within = client.unary(large(0)).context(&cx).await?;
    same("how a request within a context came", within.text.as_str(), "gzip")?;
    let own = client.unary(large(0)).compression(Compression::Zstd).context(&cx).await?;
    same("how a request with a choice of its own came", own.text.as_str(), "zstd")
}

pub(super) async fn incompressible(rig: Rig) -> Verdict {
    let mut any = false;
    for compression in all_known() {
        any = true;
        let served = rig.serve(telling(&rig, compression)).await?;
        let client = served.client().await?;
        let small = Parcel { data: Bytes::from(vec![0xab; 8]), ..Parcel::numbered(1) };
        let response = client.unary(small.clone()).compression(compression).response().await?;
        same("the data", &response.message.data, &small.data)?;
        if are_handed_over(&client).await? {
            return Err(Stop::NotApplicable("messages are handed over as they are".to_owned()));
        }
        same("how the request came", response.message.text.as_str(), "plain")?;
        same("how the answer came", name(response.compression), "plain")?;
    }
    if any { Ok(()) } else { none_known() }
}

/// Whether messages travel as they are, of which nothing is encoded and nothing compressed.
async fn are_handed_over(client: &ProbeClient) -> Result<bool, Stop> {
    let sent = Parcel { data: Bytes::from(vec![0xab; 8]), ..Parcel::default() };
    let echo = client.unary(sent.clone()).await?;
    Ok(echo.data.as_ptr() == sent.data.as_ptr())
}

fn none_known() -> Verdict {
    Err(Stop::NotApplicable("this build is without compression".to_owned()))
}

async fn bomb(rig: Rig, compression: Compression) -> Verdict {
    known(compression)?;
    let script = rig.script().on_download(move |_, parcel: Parcel| async move {
        let size = usize::try_from(parcel.number).unwrap_or(usize::MAX);
        let answers = Streaming::from_iter([Parcel::default(), Parcel::heavy(size)]);
        Ok(Response::new(answers).with_compression(compression))
    });
    let served = rig.serve(script).await?;
    let limit = rig.limits.max_message_bytes;
    // It may send what its server does not take. What travels is a thousandth of that.
    let client = served.client_within(Limits { max_message_bytes: 4 * limit, ..rig.limits.clone() }).await?;
    let handed_over = are_handed_over(&client).await?;
    let fitting = Parcel::encoded_in(limit);
    client.unary(fitting).codec(Codec::Protobuf).compression(compression).await?;
    for bytes in [limit + 1, 2 * limit] {
        let call = client.unary(Parcel::encoded_in(bytes)).codec(Codec::Protobuf).compression(compression);
        let refusal = fails(call.await, Code::ResourceExhausted)?;
        let found = format!("expected a status that names {compression}, found {refusal}");
        ensure(handed_over || refusal.message().contains(compression.name()), found)?;
    }
    let parcels = Streaming::from_iter([Parcel::default(), Parcel::heavy(2 * limit), Parcel::default()]);
    fails(client.upload(parcels).compression(compression).await, Code::ResourceExhausted)?;
    client.unary(Parcel::numbered(1)).compression(compression).await?;
    served.one_connection()?;

    let strict = Limits { max_message_bytes: limit / 2, ..rig.limits.clone() };
    let client = served.client_within(strict).await?;
    let mut answers = client.download(Parcel::numbered(3 * limit as u64 / 4)).await?;
    some(answers.message().await)?;
    fails(answers.message().await, Code::ResourceExhausted)?;
    client.unary(Parcel::numbered(1)).await?;
    let opened = served.connections.opened();
    same("the number of connections of both clients", &opened, &2)
}
