use polywire::Streaming;

use super::{
    NOTICE,
    check::{Stop, Verdict, same, some},
    live::Live,
    load::call_many,
    probe::{Parcel, ProbeClient},
    rig::Rig,
};

/// How often each shape is called in a round.
const ROUND: usize = 250;

/// How often a thousand calls of each shape are made, at most.
const WINDOWS: usize = 3;

pub(super) async fn connections(rig: Rig) -> Verdict {
    let served = rig.serve(rig.script()).await?;
    for count in 1..=2 {
        let client = served.client().await?;
        client.unary(Parcel::default()).await?;
        same("the number of connections that have opened", &served.connections.opened(), &count)?;
        drop(client);
        served.connections.all_closed(NOTICE).await?;
    }
    Ok(())
}

pub(super) async fn messages(rig: Rig) -> Verdict {
    let messages = Live::default();
    let counted = messages.clone();
    let script = rig.script().on_download(move |_, parcel: Parcel| {
        let messages = counted.clone();
        let answers = (0..parcel.number).map(move |_| weighty(&messages));
        async move { Ok(Streaming::from_iter(answers)) }
    });
    let served = rig.serve(script).await?;
    let client = served.client().await?;
    for _ in 0..10 {
        let one = client.unary(weighty(&messages)).await?;
        let mut answers = client.download(Parcel::numbered(100)).await?;
        let counted = messages.clone();
        let parcels = Streaming::from_iter((0..100).map(move |_| weighty(&counted)));
        client.upload(parcels).await?;
        // Of some only the beginning is read.
        some(answers.message().await)?;
        drop((one, answers));
    }
    served.handlers(0).await?;
    messages.reach(0, NOTICE, "messages alive behind calls that have ended").await
}

fn weighty(messages: &Live) -> Parcel {
    Parcel { data: messages.bytes(vec![1; 1 << 10]), ..Parcel::default() }
}

pub(super) async fn memory(rig: Rig) -> Verdict {
    let Some(allocated) = rig.allocated else {
        return Err(Stop::NotApplicable("no allocator that counts was given".to_owned()));
    };
    let served = rig.serve(rig.script()).await?;
    let client = served.client().await?;
    // Queues, tables and caches grow to what such a round needs, and stay.
    for _ in 0..2 {
        round(&client).await?;
    }
    served.handlers(0).await?;
    let tolerance = allocated.tolerance;
    let mut least = usize::MAX;
    // A buffer that happens to grow now grows once; what calls leave behind, they leave behind each time.
    for _ in 0..WINDOWS {
        let before = (allocated.read)();
        for _ in 0..4 {
            round(&client).await?;
        }
        served.handlers(0).await?;
        least = least.min((allocated.read)().saturating_sub(before));
        if least <= tolerance {
            return Ok(());
        }
    }
    Err(Stop::failed(format!(
        "expected at most {tolerance} bytes more after a thousand calls of each shape, found {least}"
    )))
}

/// Calls each shape, some to their end and some not.
async fn round(client: &ProbeClient) -> Verdict {
    call_many(client, ROUND).await?;
    for number in 0..ROUND {
        let mut answers = client.download(Parcel::numbered(3)).await?;
        client.upload(Streaming::from_iter([Parcel::default(), Parcel::default()])).await?;
        let (sender, parcels) = Streaming::channel(1);
        let _ = sender.send(Ok(Parcel::default())).await;
        let mut echoes = client.exchange(parcels).await?;
        some(echoes.message().await)?;
        if number % 2 == 0 {
            while answers.message().await?.is_some() {}
        }
    }
    Ok(())
}
