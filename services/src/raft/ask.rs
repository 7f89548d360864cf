//! Asks a node about its cluster before it is a known member: when joining, and when a node is let in.

use std::time::Duration;

use futures_util::future::BoxFuture;
use polywire::{Channel, Status, Target};
use polywire_proto::{cluster::v1, directory::v1::ListRequest};

use super::{
    cluster::ClusterClient,
    key::{Key, read_key, shown},
    peers::Peers,
    proof::Signing,
    reach::{Named, pinned},
    statement::{challenge, signer},
};
use crate::directory::DirectoryClient;

/// A node that has answered.
pub(super) struct Asked {
    pub(super) target: Target,
    /// For further calls, with proofs.
    pub(super) channel: Channel,
    pub(super) status: v1::StatusResponse,
    pub(super) close: BoxFuture<'static, ()>,
}

/// How long a node may take to say which key it has.
const NAME: Duration = Duration::from_secs(2);

/// Asks the node at this target, which was named so, for its cluster. With an expected key, that key must have answered: the connection proves
/// it, or its signature.
///
/// # Errors
/// `Unavailable` if the node cannot be reached or is another one, and those of the call.
///
/// # Cancel safety
/// Safe: nothing is changed.
pub(super) async fn ask(
    target: &Target,
    named: Named,
    peers: &Peers,
    expected: Option<Key>,
    limit: Duration,
    token: Option<&str>,
) -> Result<Asked, Status> {
    let opened = target.open(&named.options(peers.options())).await?;
    let pinned = pinned(target);
    let expected = expected.or(pinned);
    // A proof names its callee, also where only the callee itself says who that is.
    let callee = match expected {
        Some(key) => Some(key),
        None => key_of(&opened.channel, limit.min(NAME)).await,
    };
    let channel = match (peers.prover(), callee) {
        (Some(prover), Some(key)) => Signing::channel(opened.channel, prover.clone(), key),
        _ => opened.channel,
    };
    let challenge = challenge();
    let question = v1::StatusRequest { challenge: challenge.clone() };
    let asking = ClusterClient::new(channel.clone()).status(question).timeout(limit);
    let status = match token {
        Some(token) => asking.metadata(AUTHORIZATION, bearer(token)).await?,
        None => asking.await?,
    };
    let this = status.this.as_ref().and_then(|this| read_key(&this.endpoint_id));
    let signer = signer(&status, &challenge);
    match expected {
        Some(key) if signer == Some(key) || (pinned == Some(key) && this == Some(key)) => {}
        Some(key) => {
            return Err(Status::unavailable(format!(
                "node id mismatch: expected {}, found {}",
                shown(&key),
                signer.map_or_else(|| "no signature".to_owned(), |key| shown(&key))
            )));
        }
        None => {}
    }
    Ok(Asked { target: target.clone(), channel, status, close: opened.close })
}

/// The metadata key of credentials (RFC 9110, section 11.6.2).
pub(super) const AUTHORIZATION: &str = "authorization";

/// Its value for a token (RFC 6750, section 2.1).
pub(super) fn bearer(token: &str) -> String {
    format!("Bearer {token}")
}

/// The key that a node says it has.
async fn key_of(channel: &Channel, limit: Duration) -> Option<Key> {
    let asking = DirectoryClient::new(channel.clone()).list(ListRequest { members: false }).timeout(limit);
    read_key(&asking.await.ok()?.node?.id)
}
