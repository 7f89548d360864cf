//! quinn without a framework: a stream a call, what is read to the end is written back.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use bytes::Bytes;
use quinn::{
    ClientConfig, Connection, Endpoint, RecvStream, SendStream, ServerConfig, TransportConfig,
    rustls::{
        RootCertStore,
        pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
    },
};

use super::{
    Caller, Result, Stack,
    plain::{self, Request},
};
use crate::{
    pattern::{Check, Script},
    pki::{HOST, Pki},
};

/// A server, and the endpoint that all its clients dial from.
#[derive(Clone)]
pub(super) struct PlainQuinn {
    endpoint: Endpoint,
    server: SocketAddr,
}

impl PlainQuinn {
    /// Starts the server, with quinn's own settings at both ends.
    pub(super) fn start(pki: &Pki) -> Result<Self> {
        let certificate = CertificateDer::from_pem_slice(pki.certificate().pem.as_bytes())?;
        let key = PrivateKeyDer::from_pem_slice(pki.key().pem.as_bytes())?;
        let config = ServerConfig::with_single_cert(vec![certificate], key)?;
        let server = Endpoint::server(config, "127.0.0.1:0".parse()?)?;
        let address = server.local_addr()?;
        tokio::spawn(serve(server));

        let mut trusted = RootCertStore::empty();
        trusted.add(CertificateDer::from_pem_slice(pki.authority().pem.as_bytes())?)?;
        let mut endpoint = Endpoint::client("127.0.0.1:0".parse()?)?;
        // Others have their turns for longer than a connection may be idle by default.
        let mut transport = TransportConfig::default();
        transport.keep_alive_interval(Some(Duration::from_secs(10)));
        let mut config = ClientConfig::with_root_certificates(Arc::new(trusted))?;
        config.transport_config(Arc::new(transport));
        endpoint.set_default_client_config(config);
        Ok(Self { endpoint, server: address })
    }
}

impl Stack for PlainQuinn {
    type Caller = Connection;

    async fn connect(&self) -> Result<Connection> {
        Ok(self.endpoint.connect(self.server, HOST)?.await?)
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
