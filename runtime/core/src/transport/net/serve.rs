use std::sync::Arc;

use tokio::task::{JoinError, JoinSet};

use super::ListenerOptions;
use super::accept::{Accept, Accepted, Acceptor};
use super::establish::connection;
use super::protocol::Protocol;
use crate::{
    Drain,
    transport::{Descriptors, Place, Refusals},
};

/// Accepts and serves until `drain` is stopped, then waits for the connections that are left.
///
/// The set owns every connection's task, so that none outlives this future.
pub(super) async fn serve<A, P>(
    source: A,
    options: &ListenerOptions,
    protocol: P,
    drain: &Drain,
    descriptors: Option<&Descriptors>,
) where
    A: Accept,
    P: Protocol,
{
    let mut acceptor = Acceptor::new(source);
    let mut connections = JoinSet::new();
    let refusals = Arc::new(Refusals::new(P::NAME));
    let mut stopping = std::pin::pin!(drain.stopping());
    loop {
        let room = connections.len() < options.max_connections.max(1);
        tokio::select! {
            biased;
            () = &mut stopping => break,
            Some(ended) = connections.join_next() => report(ended),
            (accepted, place) = next(&mut acceptor, descriptors), if room => {
                let refusals = refusals.clone();
                let connection =
                    connection(accepted, options.clone(), protocol.clone(), drain.clone(), refusals);
                connections.spawn(async move {
                    connection.await;
                    drop(place);
                });
            }
        }
    }
    // Before waiting for the others: clients must see a closed port, not a backlog without an acceptor.
    drop(acceptor);
    while let Some(ended) = connections.join_next().await {
        report(ended);
    }
}

/// The next connection, once there is a descriptor for it: until then it waits in the kernel's backlog.
async fn next<A: Accept>(
    acceptor: &mut Acceptor<A>,
    descriptors: Option<&Descriptors>,
) -> (Accepted<A::Io>, Option<Place>) {
    let place = match descriptors {
        Some(descriptors) => descriptors.place().await,
        None => None,
    };
    (acceptor.next().await, place)
}

fn report(ended: Result<(), JoinError>) {
    if let Err(error) = ended {
        tracing::error!(%error, "a connection's task panicked");
    }
}
