//! Both ends in this process, and nothing leaves the machine.

use std::convert::Infallible;

use iroh::{
    Endpoint, RelayMode,
    endpoint::{QuicTransportConfig, presets},
};
use tonic::{
    body::Body,
    codegen::{Service, http},
    server::NamedService,
    transport::{Channel, Server, server::TcpIncoming},
};

use crate::contestant::Result;

/// An iroh endpoint on any free UDP port, without relay and lookup.
///
/// # Errors
/// When it cannot be bound.
pub async fn endpoint(quic: QuicTransportConfig, alpns: &[&[u8]]) -> Result<Endpoint> {
    let builder = Endpoint::builder(presets::Minimal)
        .alpns(alpns.iter().map(|alpn| alpn.to_vec()).collect())
        .transport_config(quic)
        .relay_mode(RelayMode::Disabled)
        .clear_ip_transports()
        .bind_addr("127.0.0.1:0")?;
    Ok(builder.bind().await?)
}

/// Serves with tonic on any free TCP port, and connects to it.
///
/// # Errors
/// When the port cannot be bound or reached.
pub async fn tonic<S>(service: S) -> Result<Channel>
where
    S: Service<http::Request<Body>, Response = http::Response<Body>, Error = Infallible, Future: Send>,
    S: NamedService + Clone + Send + Sync + 'static,
{
    let incoming = TcpIncoming::bind("127.0.0.1:0".parse()?)?.with_nodelay(Some(true));
    let address = incoming.local_addr()?;
    tokio::spawn(Server::builder().add_service(service).serve_with_incoming(incoming));
    Ok(Channel::from_shared(format!("http://{address}"))?.connect().await?)
}
