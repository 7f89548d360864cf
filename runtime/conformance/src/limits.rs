use polywire::{Code, Codec, Limits, Streaming};

use super::{
    check::{Verdict, fails, same, some},
    probe::{Parcel, ProbeClient, Script},
    rig::{Rig, Served},
};

/// The limit of clients that are stricter than their server.
const STRICT: usize = 64 << 10;

/// `unary` and `download` answer with as many bytes as the request's number says.
fn generous(rig: &Rig) -> Script {
    rig.script().on_unary(async |_, parcel: Parcel| Ok(Parcel::heavy(size(&parcel)))).on_download(
        async |_, parcel: Parcel| Ok(Streaming::from_iter([Parcel::default(), Parcel::heavy(size(&parcel))])),
    )
}

fn size(parcel: &Parcel) -> usize {
    usize::try_from(parcel.number).unwrap_or(usize::MAX)
}

/// A client that sends and takes more than the server does.
async fn larger_client(rig: &Rig, served: &Served) -> Result<ProbeClient, super::check::Stop> {
    let limit = rig.limits.max_message_bytes;
    served.client_within(Limits { max_message_bytes: 4 * limit, ..rig.limits.clone() }).await
}

/// A client that sends and takes less than the server does.
async fn stricter_client(rig: &Rig, served: &Served) -> Result<ProbeClient, super::check::Stop> {
    served.client_within(Limits { max_message_bytes: STRICT, ..rig.limits.clone() }).await
}

async fn still_served(served: &Served, client: &ProbeClient) -> Verdict {
    client.unary(Parcel::numbered(1)).await?;
    served.one_connection()
}

pub(super) async fn fits(rig: Rig) -> Verdict {
    let served = rig.serve(rig.script()).await?;
    let client = served.client().await?;
    let largest = Parcel::encoded_in(rig.limits.max_message_bytes);
    let answer = client.unary(largest.clone()).codec(Codec::Protobuf).await?;
    same("the size of the answer's data", &answer.data.len(), &largest.data.len())?;
    let parcels = Streaming::from_iter([largest.clone(), largest.clone(), Parcel::numbered(3)]);
    let mut echoes = client.exchange(parcels).codec(Codec::Protobuf).await?;
    for _ in 0..2 {
        let echo = some(echoes.message().await)?;
        same("the size of the echo's data", &echo.data.len(), &largest.data.len())?;
    }
    same("the small message behind", &some(echoes.message().await)?.number, &3)
}

pub(super) async fn request_over_servers(rig: Rig) -> Verdict {
    let served = rig.serve(rig.script()).await?;
    let client = larger_client(&rig, &served).await?;
    let (sender, bystanders) = Streaming::channel(1);
    let mut bystander = client.exchange(bystanders).await?;
    let limit = rig.limits.max_message_bytes;
    for bytes in [limit + 1, 2 * limit] {
        let call = client.unary(Parcel::encoded_in(bytes)).codec(Codec::Protobuf);
        fails(call.await, Code::ResourceExhausted)?;
    }
    let parcels = [Parcel::default(), Parcel::heavy(2 * limit), Parcel::default()];
    fails(client.upload(Streaming::from_iter(parcels)).await, Code::ResourceExhausted)?;
    let _ = sender.send(Ok(Parcel::numbered(7))).await;
    same("a bystander's echo", &some(bystander.message().await)?.number, &7)?;
    still_served(&served, &client).await
}

pub(super) async fn answer_over_servers(rig: Rig) -> Verdict {
    let served = rig.serve(generous(&rig)).await?;
    let client = larger_client(&rig, &served).await?;
    let large = 2 * rig.limits.max_message_bytes as u64;
    fails(client.unary(Parcel::numbered(large)).await, Code::ResourceExhausted)?;
    let mut answers = client.download(Parcel::numbered(large)).await?;
    some(answers.message().await)?;
    fails(answers.message().await, Code::ResourceExhausted)?;
    still_served(&served, &client).await
}

pub(super) async fn request_over_clients(rig: Rig) -> Verdict {
    let served = rig.serve(rig.script()).await?;
    let client = stricter_client(&rig, &served).await?;
    fails(client.unary(Parcel::heavy(2 * STRICT)).await, Code::ResourceExhausted)?;
    let parcels = [Parcel::default(), Parcel::heavy(2 * STRICT)];
    fails(client.upload(Streaming::from_iter(parcels)).await, Code::ResourceExhausted)?;
    still_served(&served, &client).await
}

pub(super) async fn answer_over_clients(rig: Rig) -> Verdict {
    let served = rig.serve(generous(&rig)).await?;
    let client = stricter_client(&rig, &served).await?;
    let large = 2 * STRICT as u64;
    fails(client.unary(Parcel::numbered(large)).await, Code::ResourceExhausted)?;
    let mut answers = client.download(Parcel::numbered(large)).await?;
    some(answers.message().await)?;
    fails(answers.message().await, Code::ResourceExhausted)?;
    still_served(&served, &client).await
}
