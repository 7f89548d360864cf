//! irpc over iroh, without an actor: each request is answered in a task of its own, so that none waits for
//! another.

use bytes::Bytes;
use iroh::{
    Endpoint,
    endpoint::{Connection, QuicTransportConfig},
    protocol::{AcceptError, ProtocolHandler, Router},
};
use irpc::{
    Client, WithChannels,
    channel::{mpsc, oneshot},
    rpc_requests,
};
use irpc_iroh::{IrohRemoteConnection, read_request};
use serde::{Deserialize, Serialize};

use super::{Caller, Result, Stack};
use crate::{
    loopback,
    pattern::{Check, Script},
};

const ALPN: &[u8] = b"irpc/1";

/// How many messages of a stream wait at the client to be read: where both ends are in one process and no
/// network is between, irpc asks for it.
const CAPACITY: usize = 64;

/// A server, and the endpoint that all its clients dial from.
#[derive(Clone)]
pub(super) struct IrpcIroh {
    endpoint: Endpoint,
    router: Router,
}

impl IrpcIroh {
    /// Starts the server, with iroh's own QUIC settings at both ends.
    pub(super) async fn start() -> Result<Self> {
        let quic = QuicTransportConfig::default();
        let router = Router::builder(loopback::endpoint(quic.clone(), &[]).await?).accept(ALPN, Wall).spawn();
        Ok(Self { endpoint: loopback::endpoint(quic, &[]).await?, router })
    }
}

impl Stack for IrpcIroh {
    type Caller = Client<Protocol>;

    async fn connect(&self) -> Result<Client<Protocol>> {
        let connection = self.endpoint.connect(self.router.endpoint().addr(), ALPN).await?;
        Ok(Client::boxed(IrohRemoteConnection::new(connection)))
    }
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Packet {
    payload: Bytes,
}

#[rpc_requests(message = Message)]
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Protocol {
    #[rpc(tx = oneshot::Sender<Packet>)]
    Echo(Packet),
    #[rpc(tx = mpsc::Sender<Packet>)]
    Subscribe(Script),
}

impl Caller for Client<Protocol> {
    async fn echo(&mut self, payload: Bytes) -> Result<Bytes> {
        Ok(self.rpc(Packet { payload }).await?.payload)
    }

    async fn subscribe(&mut self, script: Script, check: &mut Check) -> Result<()> {
        let mut packets = self.server_streaming(script, CAPACITY).await?;
        while let Some(packet) = packets.recv().await? {
            check.message(&packet.payload)?;
        }
        Ok(())
    }
}

#[derive(Debug)]
struct Wall;

impl ProtocolHandler for Wall {
    async fn accept(&self, connection: Connection) -> std::result::Result<(), AcceptError> {
        while let Some(message) = read_request::<Protocol>(&connection).await? {
            tokio::spawn(answer(message));
        }
        Ok(())
    }
}

async fn answer(message: Message) -> Result<()> {
    match message {
        Message::Echo(WithChannels { tx, inner, .. }) => tx.send(inner).await?,
        Message::Subscribe(WithChannels { tx, inner, .. }) => {
            for payload in inner.messages() {
                tx.send(Packet { payload }).await?;
            }
        }
    }
    Ok(())
}
