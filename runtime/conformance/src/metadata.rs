use polywire::{Call, Code, Limits, Metadata, Response, Status, Streaming};

use super::{
    check::{Stop, Verdict, ended, ensure, fails, same, some},
    probe::{Parcel, ProbeClient},
    rig::Rig,
};

/// An ASCII entry, one that occurs twice, and a binary one that is no text and occurs twice.
fn sample(of: &str) -> Metadata {
    let mut metadata = Metadata::new();
    let added = metadata
        .append("of", of)
        .and_then(|()| metadata.append("twice", "first"))
        .and_then(|()| metadata.append("twice", "second, with a comma"))
        .and_then(|()| metadata.append_bin("raw-bin", vec![0, 0xff, 0x80, b',']))
        .and_then(|()| metadata.append_bin("raw-bin", Vec::new()));
    debug_assert!(added.is_ok(), "{added:?}");
    metadata
}

/// Metadata of just this weight.
fn weighing(bytes: usize) -> Metadata {
    const KEY: &str = "heavy";
    let mut metadata = Metadata::new();
    let added = metadata.append(KEY, "x".repeat(bytes.saturating_sub(KEY.len() + 32)));
    debug_assert!(added.is_ok() && metadata.weight() == bytes);
    metadata
}

/// That each entry of the sample is there. Transports may add some of their own.
#[track_caller]
fn is_sample(metadata: &Metadata, of: &str) -> Verdict {
    let sample = sample(of);
    let ascii = |metadata: &Metadata, key| Vec::from_iter(metadata.get_all(key).map(str::to_owned));
    let binary = |metadata: &Metadata| Vec::from_iter(metadata.get_all_bin("raw-bin").cloned());
    same("the entry `of`", &ascii(metadata, "of"), &ascii(&sample, "of"))?;
    same("the entries `twice`", &ascii(metadata, "twice"), &ascii(&sample, "twice"))?;
    same("the entries `raw-bin`", &binary(metadata), &binary(&sample))
}

/// The call, with this metadata.
fn with<R>(mut call: Call<R>, metadata: &Metadata) -> Call<R> {
    for (key, value) in metadata.iter() {
        call = match std::str::from_utf8(value) {
            Ok(text) if !key.ends_with("-bin") => call.metadata(key, text),
            _ => call.metadata_bin(key, value.clone()),
        };
    }
    call
}

pub(super) async fn request(rig: Rig) -> Verdict {
    // What is wrong with it comes back as the text of the answer.
    let script = rig
        .script()
        .on_unary(async |arrival, _: Parcel| Ok(Parcel::text(found(&arrival.metadata))))
        .on_upload(async |arrival, _| Ok(Parcel::text(found(&arrival.metadata))));
    let served = rig.serve(script).await?;
    let client = served.client().await?;
    let answer = with(client.unary(Parcel::default()), &sample("caller")).await?;
    same("what the unary handler found wrong", answer.text.as_str(), "")?;
    let answer = with(client.upload(Streaming::empty()), &sample("caller")).await?;
    same("what the streaming handler found wrong", answer.text.as_str(), "")
}

fn found(metadata: &Metadata) -> String {
    match is_sample(metadata, "caller") {
        Err(Stop::Failed(wrong) | Stop::NotApplicable(wrong)) => wrong,
        Ok(()) => String::new(),
    }
}

pub(super) async fn answer(rig: Rig) -> Verdict {
    let script = rig
        .script()
        .on_unary(async |_, parcel: Parcel| Ok(between(parcel)))
        .on_upload(async |_, _| Ok(between(Parcel::default())));
    let served = rig.serve(script).await?;
    let client = served.client().await?;
    let calls = [client.unary(Parcel::default()), client.upload(Streaming::empty())];
    for call in calls {
        let response = call.response().await?;
        is_sample(&response.metadata, "lead")?;
        is_sample(&response.trailers, "trail")?;
    }
    Ok(())
}

/// The parcel, with metadata before and behind it.
fn between(parcel: Parcel) -> Response<Parcel> {
    Response::new(parcel).with_metadata(sample("lead")).with_trailers(sample("trail"))
}

pub(super) async fn stream(rig: Rig) -> Verdict {
    let script = rig.script().on_exchange(async |_, parcels: Streaming<Parcel>| {
        let parcels = parcels.with_trailers(|| sample("trail"));
        Ok(Response::new(parcels).with_metadata(sample("lead")))
    });
    let served = rig.serve(script).await?;
    let client = served.client().await?;
    let (sender, parcels) = Streaming::channel(1);
    // Nothing is sent yet: what leads an answer does not wait for its first message.
    let mut response = client.exchange(parcels).response().await?;
    is_sample(&response.metadata, "lead")?;
    let _ = sender.send(Ok(Parcel::numbered(1))).await;
    same("the echo", &some(response.message.message().await)?.number, &1)?;
    ensure(
        response.message.trailers().is_empty(),
        "expected no trailing metadata before the end, found some",
    )?;
    drop(sender);
    ended(response.message.message().await)?;
    is_sample(response.message.trailers(), "trail")
}

pub(super) async fn failure(rig: Rig) -> Verdict {
    let script = rig
        .script()
        .on_unary(async |_, _| Err::<Parcel, _>(Status::aborted("no").with_metadata(sample("failure"))))
        .on_download(async |_, _: Parcel| {
            let late = Status::aborted("no more").with_metadata(sample("late failure"));
            Ok(Streaming::new(futures_util::stream::iter([Ok(Parcel::default()), Err(late)])))
        });
    let served = rig.serve(script).await?;
    let client = served.client().await?;
    let status = fails(client.unary(Parcel::default()).await, Code::Aborted)?;
    is_sample(status.metadata(), "failure")?;
    let mut answers = client.download(Parcel::default()).await?;
    some(answers.message().await)?;
    is_sample(fails(answers.message().await, Code::Aborted)?.metadata(), "late failure")
}

pub(super) async fn server_timing(rig: Rig) -> Verdict {
    const TIMING: &str = "server-timing";
    let served = rig.serve(rig.script()).await?;
    let client = served.client().await?;
    let asking = client.unary(Parcel::default()).metadata("want-server-timing", "1");
    let trailers = asking.response().await?.trailers;
    let told = trailers.get(TIMING);
    let taken = told.and_then(|told| told.strip_prefix("handler;dur=")?.parse::<f64>().ok());
    let found = format!("expected the handler's time as `handler;dur=MILLISECONDS`, found {told:?}");
    ensure(taken.is_some_and(|milliseconds| milliseconds >= 0.0), found)?;
    let unasked = client.unary(Parcel::default()).response().await?.trailers;
    same("the handler's time that was not asked for", &unasked.get(TIMING), &None::<&str>)
}

pub(super) async fn at_limit(rig: Rig) -> Verdict {
    let served = rig.serve(answering_with_weight(&rig)).await?;
    let client = served.client().await?;
    let limit = rig.limits.max_metadata_bytes;
    with(client.unary(Parcel::default()), &weighing(limit)).await?;
    let response = client.unary(lead(limit)).response().await?;
    same("the leading metadata's weight", &response.metadata.weight(), &limit)?;
    let response = client.unary(trail(limit)).response().await?;
    same("the trailing metadata's weight", &response.trailers.weight(), &limit)?;
    served.one_connection()
}

pub(super) async fn over_limit(rig: Rig) -> Verdict {
    let served = rig.serve(answering_with_weight(&rig)).await?;
    let limit = rig.limits.max_metadata_bytes;
    let generous = Limits { max_metadata_bytes: 4 * limit, ..rig.limits.clone() };
    let client = served.client_within(generous).await?;
    let refused = with(client.unary(Parcel::default()), &weighing(2 * limit)).await;
    fails(refused, Code::ResourceExhausted)?;
    for parcel in [lead(2 * limit), trail(2 * limit)] {
        fails(client.unary(parcel).await, Code::ResourceExhausted)?;
    }
    still_served(&client).await?;
    served.one_connection()
}

pub(super) async fn over_clients_limit(rig: Rig) -> Verdict {
    const STRICT: usize = 1 << 10;
    let served = rig.serve(answering_with_weight(&rig)).await?;
    let client = served.client_within(Limits { max_metadata_bytes: STRICT, ..rig.limits.clone() }).await?;
    let refused = with(client.unary(Parcel::default()), &weighing(2 * STRICT)).await;
    let refused = fails(refused, Code::ResourceExhausted)?;
    ensure(refused.is_not_processed(), "expected that nothing was sent, found a status that is not sure")?;
    for parcel in [lead(2 * STRICT), trail(2 * STRICT)] {
        fails(client.unary(parcel).await, Code::ResourceExhausted)?;
    }
    still_served(&client).await?;
    served.one_connection()
}

async fn still_served(client: &ProbeClient) -> Verdict {
    same("the next call's answer", &client.unary(Parcel::numbered(0)).await?, &Parcel::numbered(0))
}

/// Asks for an answer led by metadata of this weight.
fn lead(bytes: usize) -> Parcel {
    Parcel { text: "lead".to_owned(), ..Parcel::numbered(bytes as u64) }
}

/// Asks for an answer trailed by metadata of this weight.
fn trail(bytes: usize) -> Parcel {
    Parcel { text: "trail".to_owned(), ..Parcel::numbered(bytes as u64) }
}

fn answering_with_weight(rig: &Rig) -> super::probe::Script {
    rig.script().on_unary(async |_, parcel: Parcel| {
        let metadata = || weighing(usize::try_from(parcel.number).unwrap_or(usize::MAX));
        Ok(match parcel.text.as_str() {
            "lead" => Response::new(Parcel::default()).with_metadata(metadata()),
            "trail" => Response::new(Parcel::default()).with_trailers(metadata()),
            _ => Response::new(parcel),
        })
    })
}
