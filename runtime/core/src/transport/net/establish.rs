use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use tokio::time::{Instant, timeout_at};
use tokio_rustls::TlsAcceptor;

use super::accept::Accepted;
use super::callers::refused;
use super::protocol::{Protocol, Transport};
use super::stall::WriteStall;
use super::{ConnectionInfo, ListenerOptions, TlsInfo};
use crate::Drain;
use crate::transport::{Refusals, gauge::Counted};

/// A connection from accept to end: encrypts if so configured, reads the client's opening, serves.
pub(super) async fn connection<Io, P>(
    accepted: Accepted<Io>,
    options: ListenerOptions,
    protocol: P,
    drain: Drain,
    refusals: Arc<Refusals>,
) where
    Io: Transport,
    P: Protocol,
{
    let Accepted { io, remote, local } = accepted;
    let _counted = Counted::new(options.gauge.clone());
    let handshake =
        Handshake { deadline: Instant::now() + options.handshake_timeout, drain, remote, refusals };
    let io = WriteStall::new(io, options.write_stall_limit());
    let Some(config) = options.tls else {
        return handshake.open(io, ConnectionInfo::new(remote, local, None), protocol).await;
    };
    if let Some(io) = handshake.step(TlsAcceptor::from(config).accept(io)).await {
        let tls = Some(Arc::new(TlsInfo::of(io.get_ref().1)));
        handshake.open(io, ConnectionInfo::new(remote, local, tls), protocol).await;
    }
}

/// What comes before the first request, all of it under one deadline.
struct Handshake {
    deadline: Instant,
    drain: Drain,
    remote: SocketAddr,
    refusals: Arc<Refusals>,
}

impl Handshake {
    async fn open<Io: Transport, P: Protocol>(self, io: Io, info: ConnectionInfo, protocol: P) {
        if let Some(io) = self.step(P::open(io)).await {
            protocol.serve(io, info, &self.drain).await;
        }
    }

    /// One step. `None` ends the connection. A client that goes by itself before it has said anything, as probes of load
    /// balancers do, is told of at debug level only.
    ///
    /// A stop ends it too: a client that has not opened yet has nothing in flight.
    async fn step<T>(&self, step: impl Future<Output = io::Result<T>>) -> Option<T> {
        let remote = self.remote;
        let outcome = tokio::select! {
            biased;
            () = self.drain.stopping() => return None,
            outcome = timeout_at(self.deadline, step) => outcome,
        };
        match outcome {
            Ok(Ok(done)) => return Some(done),
            Ok(Err(error)) if error.kind() == io::ErrorKind::UnexpectedEof => {
                tracing::debug!(%remote, %error, "connection closed before its first request");
            }
            Ok(Err(error)) => match refused(&error.to_string()) {
                Some(hint) => self.refusals.say(&format_args!("{remote}: {error} ({hint})")),
                None => self.refusals.say(&format_args!("{remote}: {error}")),
            },
            Err(_) => self.refusals.say(&format_args!("{remote}: it took too long to open")),
        }
        None
    }
}
