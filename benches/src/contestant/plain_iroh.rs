//! iroh without a framework: a stream a call, what is read to the end is written back.

use bytes::Bytes;
use iroh::{
    Endpoint,
    endpoint::{Connection, QuicTransportConfig, RecvStream, SendStream},
};

use super::{Caller, Contestant, Result};
use crate::loopback;

const ALPN: &[u8] = b"plain/1";

/// The longest message that either side reads, in bytes: polywire's default.
const LIMIT: usize = 4 << 20;

/// Starts a server and connects to it, with these QUIC settings at both ends.
///
/// # Errors
/// When the loopback interface cannot be used.
pub async fn start(name: &'static str, quic: QuicTransportConfig) -> Result<Contestant> {
    let server = loopback::endpoint(quic.clone(), &[ALPN]).await?;
    let address = server.addr();
    tokio::spawn(serve(server));
    let endpoint = loopback::endpoint(quic, &[]).await?;
    let connection = endpoint.connect(address, ALPN).await?;
    Ok(Contestant::new(name, Plain { connection, _endpoint: endpoint }))
}

#[derive(Clone)]
struct Plain {
    connection: Connection,
    _endpoint: Endpoint,
}

impl Caller for Plain {
    async fn echo(&mut self, payload: Bytes) -> Result<Bytes> {
        let (mut send, mut recv) = self.connection.open_bi().await?;
        send.write_all(&payload).await?;
        send.finish()?;
        Ok(recv.read_to_end(LIMIT).await?.into())
    }
}

async fn serve(endpoint: Endpoint) {
    while let Some(incoming) = endpoint.accept().await {
        tokio::spawn(async move {
            let connection = incoming.await?;
            loop {
                let (send, recv) = connection.accept_bi().await?;
                tokio::spawn(answer(send, recv));
            }
            #[allow(unreachable_code)]
            Result::Ok(())
        });
    }
}

async fn answer(mut send: SendStream, mut recv: RecvStream) -> Result<()> {
    let payload = recv.read_to_end(LIMIT).await?;
    send.write_all(&payload).await?;
    Ok(send.finish()?)
}
