use std::io;

use tokio::net::UnixStream;

use super::{NAME, socket::Socket};
use crate::{
    Caller, Identity, Limits, Status,
    transport::{
        Detected, Detector, Serving,
        framed::{self, Accepted, Handshake},
        mux::{Mux, MuxConfig, MuxConnection},
    },
};

/// Accepts the connections of a socket, which is removed with it.
#[derive(Debug)]
pub struct Listener {
    socket: Socket,
    mux: MuxConfig,
    /// On the calls of clients that speak gRPC; the others have their own.
    limits: Limits,
    /// What clients speak, once it is known what to serve.
    detector: Option<Detector>,
}

impl Listener {
    pub(super) fn new(socket: Socket, mux: MuxConfig, limits: Limits) -> Self {
        Self { socket, mux, limits, detector: None }
    }
}

impl framed::Listener for Listener {
    type Connection = MuxConnection;

    fn transport(&self) -> &'static str {
        NAME
    }

    async fn accept(&mut self) -> io::Result<Option<Handshake<MuxConnection>>> {
        let (stream, _) = self.socket.listener.accept().await?;
        Ok(Some(Box::pin(greet(stream, self.socket.owner, self.mux.clone(), self.detector.clone()))))
    }

    fn serve_with(&mut self, serving: &Serving) {
        self.detector = Some(Detector::new(serving, &self.limits, self.mux.max_concurrent_streams));
    }
}

/// Learns who the client of a socket of this owner is, and what it speaks.
async fn greet(
    stream: UnixStream,
    owner: u32,
    mux: MuxConfig,
    detector: Option<Detector>,
) -> Result<Accepted<MuxConnection>, Status> {
    // The kernel vouches for these: they are those of the process that connected.
    let peer = stream.peer_cred().map_err(|error| Status::unavailable(error.to_string()))?;
    let mut caller = Caller::new(NAME).with_identity(Identity::Uid(peer.uid()));
    if let Some(pid) = peer.pid() {
        caller = caller.with_address(format!("pid:{pid}"));
    }
    if peer.uid() == owner {
        caller = caller.local();
    }
    let shaken = match detector {
        None => Mux::server(stream, mux).await.map_err(Status::from),
        Some(detector) => match detector.detect(stream, &caller).await {
            Ok(Detected::Http2(serving)) => return Ok(Accepted::served(serving)),
            Ok(Detected::Other(stream)) => Mux::server(stream, mux).await.map_err(Status::from),
            Err(error) => Err(refused(&error)),
        },
    };
    let connection = shaken.map_err(|status| {
        let uid = peer.uid();
        Status::new(status.code(), format!("uid {uid}: {}", status.message()))
    })?;
    Ok(Accepted::new(connection, caller))
}

/// A client that goes before it has said anything is no fault.
fn refused(error: &io::Error) -> Status {
    match error.kind() {
        io::ErrorKind::UnexpectedEof => Status::cancelled("the connection ended before its first call"),
        io::ErrorKind::InvalidData => Status::invalid_argument(error.to_string()),
        _ => Status::unavailable(error.to_string()),
    }
}
