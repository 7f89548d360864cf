use bytes::Bytes;
use polywire::{Body, Call, Code, Codec, Method, Streaming};

use super::{
    check::{Verdict, ended, fails, same, some},
    probe::{Parcel, ProbeClient},
    rig::Rig,
};

/// Enough that windows, queues and buffers have been full.
const MANY: u64 = 10_000;

pub(super) async fn unary(rig: Rig) -> Verdict {
    let served = rig.serve(rig.script()).await?;
    let client = served.client().await?;
    let parcel =
        Parcel { number: u64::MAX, text: "größer".to_owned(), data: Bytes::from_static(b"\0\xff") };
    let answer = client.unary(parcel.clone()).await?;
    same("the answer", &answer, &parcel)
}

pub(super) async fn download(rig: Rig) -> Verdict {
    let served = rig.serve(rig.script()).await?;
    let client = served.client().await?;
    for count in [0, 1, MANY] {
        let mut answers = client.download(Parcel::numbered(count)).await?;
        for number in 0..count {
            same("the answer's number", &some(answers.message().await)?.number, &number)?;
        }
        ended(answers.message().await)?;
    }
    Ok(())
}

pub(super) async fn upload(rig: Rig) -> Verdict {
    let script = rig.script().on_upload(async |_, mut parcels: Streaming<Parcel>| {
        let mut next = 0;
        while let Some(parcel) = parcels.message().await? {
            if parcel.number != next {
                let wrong = format!("request {next} has the number {}", parcel.number);
                return Err(polywire::Status::data_loss(wrong));
            }
            next += 1;
        }
        Ok(Parcel::numbered(next))
    });
    let served = rig.serve(script).await?;
    let client = served.client().await?;
    for count in [0, 1, MANY] {
        let answer = client.upload(Streaming::from_iter((0..count).map(Parcel::numbered))).await?;
        same("the number of requests", &answer.number, &count)?;
    }
    Ok(())
}

pub(super) async fn exchange(rig: Rig) -> Verdict {
    let served = rig.serve(rig.script()).await?;
    let client = served.client().await?;
    let (sender, parcels) = Streaming::channel(1);
    // The first is under way before there is an answer: a server may look at it before it answers.
    let _ = sender.send(Ok(Parcel::numbered(0))).await;
    let mut echoes = client.exchange(parcels).await?;
    for number in 0..100 {
        same("the echo's number", &some(echoes.message().await)?.number, &number)?;
        let _ = sender.send(Ok(Parcel::numbered(number + 1))).await;
    }
    drop(sender);
    some(echoes.message().await)?;
    ended(echoes.message().await)
}

pub(super) async fn empty(rig: Rig) -> Verdict {
    let served = rig.serve(rig.script()).await?;
    let client = served.client().await?;
    for codec in CODECS {
        same("the answer", &client.unary(Parcel::default()).codec(codec).await?, &Parcel::default())?;
        let parcels = Streaming::from_iter([Parcel::default(), Parcel::default(), Parcel::default()]);
        let mut echoes = client.exchange(parcels).codec(codec).await?;
        for _ in 0..3 {
            same("the echo", &some(echoes.message().await)?, &Parcel::default())?;
        }
        ended(echoes.message().await)?;
    }
    Ok(())
}

pub(super) async fn half_close(rig: Rig) -> Verdict {
    let script = rig.script().on_exchange(async |_, mut parcels: Streaming<Parcel>| {
        let mut count = 0;
        while parcels.message().await?.is_some() {
            count += 1;
        }
        Ok(Streaming::from_iter((0..count).map(Parcel::numbered)))
    });
    let served = rig.serve(script).await?;
    let client = served.client().await?;
    let mut answers = client.exchange(Streaming::from_iter((0..100).map(Parcel::numbered))).await?;
    for number in 0..100 {
        same("the answer's number", &some(answers.message().await)?.number, &number)?;
    }
    ended(answers.message().await)
}

pub(super) async fn early_answers(rig: Rig) -> Verdict {
    let script = rig.script().on_exchange(async |_, parcels: Streaming<Parcel>| {
        drop(parcels);
        Ok(Streaming::once(Parcel::text("unasked")))
    });
    let served = rig.serve(script).await?;
    let client = served.client().await?;
    let (_sender, parcels) = Streaming::channel(1);
    let mut answers = client.exchange(parcels).await?;
    same("the answer", &some(answers.message().await)?.text, "unasked")?;
    ended(answers.message().await)
}

pub(super) async fn one_message(rig: Rig) -> Verdict {
    /// The unary method, called as if it took a stream.
    const STREAMED: Method = Method::client_streaming("/polywire.conformance.v1.Probe/Unary");
    let served = rig.serve(rig.script()).await?;
    let channel = served.channel().await?;
    for count in [0, 2] {
        let body = Body::many(Streaming::from_iter((0..count).map(Parcel::numbered)));
        fails(Call::<Parcel>::new(&channel, &STREAMED, body).await, Code::Unimplemented)?;
    }
    let body = Body::many(Streaming::from_iter([Parcel::numbered(1)]));
    same("the answer", &Call::<Parcel>::new(&channel, &STREAMED, body).await?, &Parcel::numbered(1))?;
    served.one_connection()
}

const CODECS: [Codec; 2] = [Codec::Protobuf, Codec::MessagePack];

pub(super) async fn codecs(rig: Rig) -> Verdict {
    let script = rig.script().on_unary(async |arrival, parcel| {
        Ok(Parcel { text: arrival.codec.map_or("none", Codec::name).to_owned(), ..parcel })
    });
    let served = rig.serve(script).await?;
    let client = served.client().await?;
    let data = Bytes::from_iter(0..=255);
    for codec in CODECS {
        let parcel = Parcel { number: 1, text: String::new(), data: data.clone() };
        let answer = client.unary(parcel.clone()).codec(codec).await?;
        same("the codec that the handler sees", answer.text.as_str(), codec.name())?;
        same("the data", &answer.data, &data)?;
        let mut echoes = client.exchange(Streaming::from_iter([parcel.clone()])).codec(codec).await?;
        same("the echo", &some(echoes.message().await)?, &parcel)?;
        let mut answers = client.download(Parcel::numbered(1)).codec(codec).await?;
        same("the answer", &some(answers.message().await)?, &Parcel::numbered(0))?;
        let count = client.upload(Streaming::from_iter([parcel.clone(), parcel])).codec(codec).await?;
        same("the number of requests", &count.number, &2)?;
    }
    Ok(())
}

pub(super) async fn client_codec(rig: Rig) -> Verdict {
    let script = rig
        .script()
        .on_unary(async |arrival, _| Ok(Parcel::text(arrival.codec.map_or("none", Codec::name))))
        .on_upload(async |arrival, _| Ok(Parcel::text(arrival.codec.map_or("none", Codec::name))));
    let served = rig.serve(script).await?;
    for codec in CODECS {
        let client = served.client_in(codec).await?;
        let seen = [client.unary(Parcel::default()).await?, client.upload(Streaming::empty()).await?];
        for parcel in seen {
            same("the codec that the handler sees", parcel.text.as_str(), codec.name())?;
        }
    }
    Ok(())
}

pub(super) async fn outlives_client(rig: Rig) -> Verdict {
    let served = rig.serve(rig.script()).await?;
    let (sender, parcels) = Streaming::channel(1);
    let _ = sender.send(Ok(Parcel::numbered(0))).await;
    let client: ProbeClient = served.client().await?;
    let mut echoes = client.exchange(parcels).await?;
    drop(client);
    for number in 0..10 {
        same("the echo's number", &some(echoes.message().await)?.number, &number)?;
        let _ = sender.send(Ok(Parcel::numbered(number + 1))).await;
    }
    Ok(())
}
