use futures_util::StreamExt;
use polywire::{Code, Streaming};

use super::{
    check::{Verdict, ensure, fails, same, some},
    probe::{Parcel, Script},
    rig::Rig,
};

const SECRET: &str = "conformance: this panic is part of the suite";

/// Panics before it answers, amid its answers, and while it reads.
fn clumsy(rig: &Rig) -> Script {
    rig.script()
        .on_unary(async |_, parcel: Parcel| {
            assert_ne!(parcel.number, 1, "{SECRET}");
            Ok(parcel)
        })
        .on_download(async |_, _: Parcel| {
            Ok(Streaming::new(futures_util::stream::iter(0..2).map(|number| {
                assert_eq!(number, 0, "{SECRET}");
                Ok(Parcel::default())
            })))
        })
        .on_upload(async |_, mut parcels: Streaming<Parcel>| {
            assert!(parcels.message().await?.is_none(), "{SECRET}");
            Ok(Parcel::default())
        })
}

pub(super) async fn panics(rig: Rig) -> Verdict {
    let served = rig.serve(clumsy(&rig)).await?;
    let client = served.client().await?;
    let (sender, bystanders) = Streaming::channel(1);
    let mut bystander = client.exchange(bystanders).await?;

    let before = fails(client.unary(Parcel::numbered(1)).await, Code::Internal)?;
    let mut answers = client.download(Parcel::default()).await?;
    some(answers.message().await)?;
    let amid = fails(answers.message().await, Code::Internal)?;
    let reading = fails(client.upload(Streaming::once(Parcel::default())).await, Code::Internal)?;
    for status in [before, amid, reading] {
        let told = format!("expected that the panic's text stays at the server, found {status}");
        ensure(!status.message().contains(SECRET), told)?;
    }

    let _ = sender.send(Ok(Parcel::numbered(7))).await;
    same("a bystander's echo", &some(bystander.message().await)?.number, &7)?;
    same("the next answer", &client.unary(Parcel::numbered(2)).await?.number, &2)?;
    served.one_connection()
}
