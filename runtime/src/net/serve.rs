use tokio::task::{JoinError, JoinSet};

use super::ListenerOptions;
use super::accept::{Accept, Acceptor};
use super::establish::connection;
use super::protocol::Protocol;
use crate::Drain;

/// Accepts and serves until `drain` is stopped, then waits for the connections that are left.
///
/// The set owns every connection's task, so that none outlives this future.
pub(super) async fn serve<A, P>(source: A, options: &ListenerOptions, protocol: P, drain: &Drain)
where
    A: Accept,
    P: Protocol,
{
    let mut acceptor = Acceptor::new(source);
    let mut connections = JoinSet::new();
    let mut stopping = std::pin::pin!(drain.stopping());
    loop {
        let room = connections.len() < options.max_connections.max(1);
        tokio::select! {
            biased;
            () = &mut stopping => break,
            Some(ended) = connections.join_next() => report(ended),
            accepted = acceptor.next(), if room => {
                connections.spawn(connection(accepted, options.clone(), protocol.clone(), drain.clone()));
            }
        }
    }
    // Before waiting for the others: a client must meet a closed port, not a backlog that nobody empties.
    drop(acceptor);
    while let Some(ended) = connections.join_next().await {
        report(ended);
    }
}

fn report(ended: Result<(), JoinError>) {
    if let Err(error) = ended {
        tracing::error!(%error, "a connection's task panicked");
    }
}
