use std::io;

use tokio::net::UnixStream;

use super::{NAME, socket::Socket};
use crate::{
    Caller, Status,
    transport::{
        framed::{self, Accepted, Handshake},
        mux::{Mux, MuxConfig, MuxConnection},
    },
};

/// Accepts the connections of a socket, which is removed with it.
#[derive(Debug)]
pub struct Listener {
    pub(super) socket: Socket,
    pub(super) mux: MuxConfig,
}

impl framed::Listener for Listener {
    type Connection = MuxConnection;

    fn transport(&self) -> &'static str {
        NAME
    }

    async fn accept(&mut self) -> io::Result<Option<Handshake<MuxConnection>>> {
        let (stream, _) = self.socket.listener.accept().await?;
        Ok(Some(Box::pin(greet(stream, self.mux.clone()))))
    }
}

async fn greet(stream: UnixStream, mux: MuxConfig) -> Result<Accepted<MuxConnection>, Status> {
    // The kernel vouches for these: they are those of the process that connected.
    let peer = stream.peer_cred().map_err(|error| Status::unavailable(error.to_string()))?;
    let caller = Caller {
        transport: NAME,
        identity: Some(format!("uid:{}", peer.uid())),
        address: peer.pid().map(|pid| format!("pid:{pid}")),
    };
    let named = |status: Status| {
        let uid = peer.uid();
        Status::new(status.code(), format!("uid {uid}: {}", status.message()))
    };
    let connection = Mux::server(stream, mux).await.map_err(|error| named(error.into()))?;
    Ok(Accepted::new(connection, caller))
}
