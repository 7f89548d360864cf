//! irpc over iroh, without an actor: each request is answered in a task of its own, so that none waits for
//! another.

use bytes::Bytes;
use iroh::{
    Endpoint,
    endpoint::{Connection, QuicTransportConfig},
    protocol::{AcceptError, ProtocolHandler, Router},
};
use irpc::{Client, WithChannels, channel::oneshot, rpc_requests};
use irpc_iroh::{IrohRemoteConnection, read_request};
use serde::{Deserialize, Serialize};

use super::{Caller, Contestant, Result};
use crate::loopback;

const ALPN: &[u8] = b"irpc/1";

/// Starts a server and connects to it, with iroh's own QUIC settings.
///
/// # Errors
/// When the loopback interface cannot be used.
pub async fn start(name: &'static str) -> Result<Contestant> {
    let quic = QuicTransportConfig::default();
    let router = Router::builder(loopback::endpoint(quic.clone(), &[]).await?).accept(ALPN, Wall).spawn();
    let endpoint = loopback::endpoint(quic, &[]).await?;
    let connection = endpoint.connect(router.endpoint().addr(), ALPN).await?;
    let client = Client::boxed(IrohRemoteConnection::new(connection));
    Ok(Contestant::new(name, Irpc { client, _endpoint: endpoint, _router: router }))
}

#[derive(Debug, Serialize, Deserialize)]
struct Packet {
    payload: Bytes,
}

#[rpc_requests(message = EchoMessage)]
#[derive(Debug, Serialize, Deserialize)]
enum EchoProtocol {
    #[rpc(tx = oneshot::Sender<Packet>)]
    Echo(Packet),
}

#[derive(Clone)]
struct Irpc {
    client: Client<EchoProtocol>,
    _endpoint: Endpoint,
    _router: Router,
}

impl Caller for Irpc {
    async fn echo(&mut self, payload: Bytes) -> Result<Bytes> {
        Ok(self.client.rpc(Packet { payload }).await?.payload)
    }
}

#[derive(Debug)]
struct Wall;

impl ProtocolHandler for Wall {
    async fn accept(&self, connection: Connection) -> std::result::Result<(), AcceptError> {
        while let Some(EchoMessage::Echo(request)) = read_request::<EchoProtocol>(&connection).await? {
            tokio::spawn(async move {
                let WithChannels { tx, inner, .. } = request;
                // A caller that went away needs no answer.
                let _ = tx.send(inner).await;
            });
        }
        Ok(())
    }
}
