//! iroh without a framework: a stream a call, what is read to the end is written back.

use bytes::Bytes;
use iroh::{
    Endpoint, EndpointAddr,
    endpoint::{Connection, QuicTransportConfig, RecvStream, SendStream},
};

use super::{
    Caller, Result, Stack,
    plain::{self, Request},
};
use crate::{
    loopback,
    pattern::{Check, Script},
};

const ALPN: &[u8] = b"plain/1";

/// A server, and the endpoint that all its clients dial from.
#[derive(Clone)]
pub(super) struct PlainIroh {
    endpoint: Endpoint,
    server: EndpointAddr,
}

impl PlainIroh {
    /// Starts the server, with these QUIC settings at both ends.
    pub(super) async fn start(quic: QuicTransportConfig) -> Result<Self> {
        let server = loopback::endpoint(quic.clone(), &[ALPN]).await?;
        let address = server.addr();
        tokio::spawn(serve(server));
        Ok(Self { endpoint: loopback::endpoint(quic, &[]).await?, server: address })
    }
}

impl Stack for PlainIroh {
    type Caller = Connection;

    async fn connect(&self) -> Result<Connection> {
        Ok(self.endpoint.connect(self.server.clone(), ALPN).await?)
    }
}

impl Caller for Connection {
    async fn echo(&mut self, payload: Bytes) -> Result<Bytes> {
        let (mut send, mut recv) = self.open_bi().await?;
        send.write_all(&[plain::ECHO]).await?;
        send.write_all(&payload).await?;
        send.finish()?;
        Ok(recv.read_to_end(plain::LIMIT).await?.into())
    }

    async fn subscribe(&mut self, script: Script, check: &mut Check) -> Result<()> {
        let (mut send, recv) = self.open_bi().await?;
        send.write_all(&plain::subscribe(script)).await?;
        send.finish()?;
        plain::receive_all(recv, check).await
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
    match Request::parse(&recv.read_to_end(plain::LIMIT).await?)? {
        Request::Echo(payload) => send.write_all(payload).await?,
        Request::Subscribe(script) => plain::send_all(script, &mut send).await?,
    }
    Ok(send.finish()?)
}
