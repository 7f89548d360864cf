//! polywire over Iroh, as a node serves it.

use iroh::Endpoint;
use polywire::{
    Codec, Drain,
    iroh::{ALPN, Dialer, QuicProfile, ServeOptions},
};

use super::{Contestant, Result, polywire_grpc::Calls};
use crate::{
    echo::{EchoClient, EchoServer, Wall},
    loopback,
};

/// Starts a server and makes a client whose calls are encoded so.
///
/// # Errors
/// When the loopback interface cannot be used.
pub async fn start(name: &'static str, codec: Codec) -> Result<Contestant> {
    let quic = QuicProfile::default().transport_config();
    let server = loopback::endpoint(quic.clone(), &[ALPN]).await?;
    let address = server.addr();
    tokio::spawn(serve(server));
    let dialer = Dialer::new(loopback::endpoint(quic, &[]).await?).codec(codec);
    Ok(Contestant::new(name, Calls(EchoClient::new(dialer.peer(address)))))
}

async fn serve(endpoint: Endpoint) {
    polywire::iroh::serve(endpoint, EchoServer::new(Wall), ServeOptions::default(), Drain::new()).await;
}
