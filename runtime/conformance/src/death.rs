use std::future::pending;

use polywire::{Code, Status, Streaming};
use tokio::{runtime::Builder, sync::oneshot};

use super::{
    NOTICE,
    check::{Stop, Verdict, ensure, fails, some, within},
    probe::{Parcel, ProbeClient, Script},
    rig::Rig,
};

fn waiting(rig: &Rig) -> Script {
    rig.script().on_unary(async |_, parcel: Parcel| {
        pending::<()>().await;
        Ok(parcel)
    })
}

pub(super) async fn server_dies(rig: Rig) -> Verdict {
    let served = rig.serve(waiting(&rig)).await?;
    let client = served.connected().await?;
    let unary = tokio::spawn(client.unary(Parcel::default()).into_future());
    let (_sender, parcels) = Streaming::channel(1);
    let upload = tokio::spawn(client.upload(parcels).into_future());
    let (echo, parcels) = Streaming::channel(1);
    let _ = echo.send(Ok(Parcel::default())).await;
    let mut answers = client.exchange(parcels).await?;
    some(answers.message().await)?;
    served.handlers(3).await?;

    let handlers_end = served.handlers(0);
    let limit = rig.vanished_within;
    served.die().await?;
    for call in [unary, upload] {
        let outcome = within(limit, "the end of a call whose server died", call).await?;
        let outcome = outcome.unwrap_or_else(|error| Err(Status::internal(error.to_string())));
        may_have_been_processed(&fails(outcome, Code::Unavailable)?)?;
    }
    let outcome = within(limit, "the end of answers whose server died", answers.message()).await?;
    may_have_been_processed(&fails(outcome, Code::Unavailable)?)?;
    handlers_end.await?;
    unreachable_now(&rig, &client).await
}

/// A handler had seen the call.
#[track_caller]
fn may_have_been_processed(status: &Status) -> Verdict {
    let found = format!("expected a status that does not deny what was processed, found {status:?}");
    ensure(!status.is_not_processed(), found)
}

async fn unreachable_now(rig: &Rig, client: &ProbeClient) -> Verdict {
    let limit = rig.options.connect_timeout + rig.vanished_within;
    let call = client.unary(Parcel::default()).into_future();
    let outcome = within(limit, "the end of a call to a server that is gone", call).await?;
    fails(outcome, Code::Unavailable).map(|_| ())
}

pub(super) async fn no_server(rig: Rig) -> Verdict {
    let served = rig.serve(rig.script()).await?;
    let client = served.client().await?;
    // Nothing was dialled before the first call, so the client has never met its server.
    served.die().await?;
    let limit = rig.options.connect_timeout + NOTICE;
    let call = client.unary(Parcel::default()).into_future();
    let outcome = within(limit, "the end of a call to an absent server", call).await?;
    let status = fails(outcome, Code::Unavailable)?;
    let found = format!("expected a status that says that nothing was processed, found {status:?}");
    ensure(status.is_not_processed(), found)?;
    // The next server is found.
    let served = rig.serve(rig.script()).await?;
    served.client().await?.unary(Parcel::default()).await?;
    Ok(())
}

pub(super) async fn client_dies(rig: Rig) -> Verdict {
    let served = rig.serve(waiting(&rig)).await?;
    let (dying, death) = oneshot::channel::<()>();
    let target = served.target.clone();
    let options = rig.options.clone();
    // A runtime that is shut down takes its tasks and sockets with it at once, as a process would.
    let client = std::thread::spawn(move || -> std::io::Result<()> {
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
        runtime.block_on(async {
            let Ok(channel) = target.open(&options).await.map(|connected| connected.channel) else { return };
            let client = ProbeClient::new(channel);
            tokio::spawn(client.unary(Parcel::default()).into_future());
            let (sender, parcels) = Streaming::channel(1);
            tokio::spawn(async move {
                let mut answers = client.exchange(parcels).await?;
                while answers.message().await?.is_some() {}
                Ok::<(), Status>(())
            });
            // An error says that the case is over already.
            let _ = death.await;
            drop(sender);
        });
        runtime.shutdown_background();
        Ok(())
    });
    let begun = served.handlers(2).await;
    // What follows must not depend on the client's thread having an end.
    let _ = dying.send(());
    let joined = tokio::task::spawn_blocking(move || client.join()).await;
    begun?;
    if let Ok(Ok(Err(error))) = joined {
        return Err(Stop::failed(format_args!("the client's runtime cannot be made: {error}")));
    }
    rig.handlers.reach(0, rig.vanished_within, "handlers alive of a client that died").await
}
