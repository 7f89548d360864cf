//! polywire over gRPC, in a plain tonic `Server` and over a plain tonic `Channel`.

use bytes::Bytes;

use super::{Caller, Contestant, Result};
use crate::{
    echo::{EchoClient, EchoServer, Packet, Wall},
    loopback,
};

/// Starts a server and connects to it.
///
/// # Errors
/// When the loopback interface cannot be used.
pub async fn start(name: &'static str) -> Result<Contestant> {
    let channel = loopback::tonic(EchoServer::new(Wall).into_grpc()).await?;
    Ok(Contestant::new(name, Calls(EchoClient::new(channel))))
}

/// polywire's client, the same whatever it calls over.
#[derive(Clone)]
pub(super) struct Calls(pub(super) EchoClient);

impl Caller for Calls {
    async fn echo(&mut self, payload: Bytes) -> Result<Bytes> {
        Ok(self.0.echo(Packet { payload }).await?.payload)
    }
}
