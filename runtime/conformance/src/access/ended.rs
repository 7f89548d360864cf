//! Access that ends while a call is under way.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use futures_util::{StreamExt as _, stream};
use polywire::{
    AccessClass, Code, Context, Identity, Status, Streaming,
    access::{AccessControl, AccessRules, Credential, Grant},
};

use super::PROOF;
use crate::{
    NOTICE,
    check::{Verdict, ensure, fails, some, within},
    probe::{Parcel, ProbeServer, Script},
    rig::Rig,
};

/// The proofs of calls: one that is revoked, and one that stays good.
const REVOCABLE: &str = "revocable";
const KEPT: &str = "kept";

/// A proof that is good until it is revoked.
struct Revocable(Arc<AtomicBool>);

impl Credential for Revocable {
    fn verify(&self, cx: &Context) -> Option<Result<Grant, Status>> {
        let name = cx.metadata().get(PROOF)?;
        Some(match name == REVOCABLE && self.0.load(Ordering::SeqCst) {
            true => Err(Status::unauthenticated("the proof was revoked").not_processed()),
            false => Ok(Grant::by_rules(Identity::Token(name.to_owned()))),
        })
    }
}

fn control(revoked: &Arc<AtomicBool>) -> Arc<AccessControl> {
    let proved = [REVOCABLE, KEPT].map(|name| Identity::Token(name.to_owned()).into());
    let rules = AccessRules::new().trust_local(false).allow(proved, [AccessClass::Application.into()]);
    let control = AccessControl::new(rules);
    control.add_credential(Arc::new(Revocable(revoked.clone())));
    Arc::new(control)
}

/// Streams that end only where something else ends them.
fn open(rig: &Rig) -> Script {
    let open = |parcels: Streaming<Parcel>| Streaming::new(parcels.chain(stream::pending()));
    rig.script()
        .on_download(move |_, parcel: Parcel| async move { Ok(open(Streaming::once(parcel))) })
        .on_exchange(move |_, parcels: Streaming<Parcel>| async move { Ok(open(parcels)) })
}

pub(crate) async fn ended(rig: Rig) -> Verdict {
    let revoked = Arc::<AtomicBool>::default();
    let served = rig.serve_guarded(ProbeServer::new(open(&rig)), control(&revoked)).await?;
    let client = served.client().await?;
    let (kept, requests) = Streaming::channel(1);
    let mut others = client.exchange(requests).metadata(PROOF, KEPT).await?;
    let mut download = client.download(Parcel::numbered(1)).metadata(PROOF, REVOCABLE).await?;
    some(download.message().await)?;
    let (sender, requests) = Streaming::channel(1);
    let mut exchange = client.exchange(requests).metadata(PROOF, REVOCABLE).await?;
    let _ = sender.send(Ok(Parcel::numbered(2))).await;
    some(exchange.message().await)?;
    let (_waiting, requests) = Streaming::channel(1);
    let upload = tokio::spawn(client.upload(requests).metadata(PROOF, REVOCABLE).into_future());
    served.handlers(4).await?;

    revoked.store(true, Ordering::SeqCst);
    let upload = async { upload.await.unwrap_or_else(|error| Err(Status::internal(error.to_string()))) };
    let ends = [
        within(NOTICE, "the end of answers", download.message()).await?.map(drop),
        within(NOTICE, "the end of an exchange", exchange.message()).await?.map(drop),
        within(NOTICE, "the end of a call whose requests are open", upload).await?.map(drop),
    ];
    for end in ends {
        let status = fails(end, Code::Unauthenticated)?;
        let what = format_args!("expected that it may have been processed, found {status}");
        ensure(!status.is_not_processed(), what)?;
    }
    served.handlers(1).await?;
    let _ = kept.send(Ok(Parcel::numbered(3))).await;
    some(others.message().await)?;
    served.one_connection()
}
