use std::{sync::Arc, time::Duration};

use futures_util::{StreamExt as _, stream::FuturesUnordered};
use polywire_proto::cluster::v1;

use super::{
    cluster::ClusterClient,
    handle::Handle,
    peer::Peer,
    statement::{challenge, signer, voters},
};

/// How long the other members may take to answer.
const ANSWER: Duration = Duration::from_secs(1);

/// How long the members are not asked again: strangers cause the questions.
const PAUSE: Duration = Duration::from_secs(1);

/// Asks the known members who the members are, after a call of a key that this node does not know. Without that, a member
/// whose log is behind refuses the entries of a leader that has joined in the meantime, for as long as it leads.
pub(super) async fn keep_informed(handle: Handle) {
    loop {
        handle.trust().unknown.notified().await;
        let others = handle.running().map(|running| running.others()).unwrap_or_default();
        let mut answers: FuturesUnordered<_> = others.into_iter().map(ask).collect();
        while let Some(answer) = answers.next().await {
            if let Some(status) = answer {
                let id = (status.membership_term, status.membership_index);
                handle.trust().name(id, voters(&status));
            }
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// What this member says, if it has signed it.
async fn ask(peer: Arc<Peer>) -> Option<v1::StatusResponse> {
    let challenge = challenge();
    let asking = peer.call(|channel| {
        let question = v1::StatusRequest { challenge: challenge.clone() };
        let asking = ClusterClient::new(channel).status(question).timeout(ANSWER);
        async move { asking.await }
    });
    let status = tokio::time::timeout(ANSWER, asking).await.ok()?.ok()?;
    let key = signer(&status, &challenge)?;
    peer.has(&key).then_some(status)
}
