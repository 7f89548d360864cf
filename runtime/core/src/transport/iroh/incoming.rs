use std::{io, sync::Arc};

use ::iroh::{
    Endpoint, TransportAddr,
    endpoint::{Connection, Incoming},
};

use super::{Alpns, NAME, alpn::Reach, connection::selected, known::Known};
use crate::{
    Caller, Identity, Status,
    transport::framed::{self, Accepted, Batched, Handshake},
    wire::ConnectionCode,
};

/// Accepts the connections of an endpoint.
pub(super) struct Listener {
    pub(super) endpoint: Endpoint,
    pub(super) alpns: Arc<Alpns>,
    pub(super) known: Known,
}

impl framed::Listener for Listener {
    type Connection = Batched<Connection>;

    fn transport(&self) -> &'static str {
        NAME
    }

    fn takes_descriptors(&self) -> bool {
        false
    }

    async fn accept(&mut self) -> io::Result<Option<Handshake<Self::Connection>>> {
        let Some(incoming) = self.endpoint.accept().await else { return Ok(None) };
        Ok(Some(Box::pin(shake(Attempt(Some(incoming)), self.alpns.clone(), self.known.clone()))))
    }
}

/// A connection attempt, refused where it is dropped before its handshake: iroh would merely forget it.
struct Attempt(Option<Incoming>);

impl Drop for Attempt {
    fn drop(&mut self) {
        if let Some(incoming) = self.0.take() {
            incoming.refuse();
        }
    }
}

async fn shake(
    mut attempt: Attempt,
    alpns: Arc<Alpns>,
    known: Known,
) -> Result<Accepted<Batched<Connection>>, Status> {
    let failed =
        |error: &dyn std::fmt::Display| Status::unavailable(format!("{error}; accepted here: {alpns}"));
    let Some(incoming) = attempt.0.take() else { return Err(failed(&"the attempt is over")) };
    let connection = incoming.await.map_err(|error| failed(&error))?;
    if !known.admits(&connection).await {
        framed::Connection::close(&connection, ConnectionCode::Again, "");
        return Err(failed(&"older connections of the peer were in its way, and are closed"));
    }
    let accepted = |connection: Connection| {
        known.add(&connection);
        let caller = caller(&connection);
        Accepted::new(Batched::new(connection), caller)
    };
    match alpns.reach(connection.alpn()) {
        Some(Reach::Everything) => Ok(accepted(connection)),
        Some(Reach::Service(alpn)) => Ok(accepted(connection).only(alpn)),
        Some(Reach::Question) => {
            framed::Connection::close(&connection, ConnectionCode::Alpns, &alpns.to_string());
            connection.closed().await;
            Err(Status::cancelled("the peer asked which ALPNs are accepted"))
        }
        None => {
            framed::Connection::close(&connection, ConnectionCode::Denied, "");
            Err(failed(&"the ALPN is not accepted"))
        }
    }
}

/// The caller at the other end of a connection.
pub(super) fn caller(connection: &Connection) -> Caller {
    let caller = Caller::new(NAME).with_identity(Identity::Key(*connection.remote_id().as_bytes()));
    match selected(connection) {
        Some(TransportAddr::Ip(address)) => caller.at(address),
        Some(TransportAddr::Relay(url)) => caller.with_address(url.to_string()),
        Some(other) => caller.with_address(format!("{other:?}")),
        None => caller,
    }
}
