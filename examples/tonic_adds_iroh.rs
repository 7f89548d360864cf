//! A tonic server serves a polywire service beside its own, and then the same service over Iroh too.

use std::{error::Error, sync::Arc};

use iroh::{Endpoint, RelayMode, endpoint::presets, protocol::Router};
use polywire::{Context, Status, iroh::Peer};
use tonic::transport::{Server, server::TcpIncoming};

#[derive(Clone, PartialEq, prost::Message, serde::Serialize, serde::Deserialize)]
#[serde(default)]
pub struct Text {
    #[prost(string, tag = "1")]
    pub text: String,
}

#[polywire::service(package = "hello.v1")]
pub trait Greeter {
    #[rpc(idempotent)]
    async fn greet(&self, cx: &Context, name: Text) -> Result<Text, Status>;
}

struct English;

impl Greeter for English {
    async fn greet(&self, cx: &Context, name: Text) -> Result<Text, Status> {
        Ok(Text { text: format!("hello {}, over {}", name.text, cx.transport()) })
    }
}

/// An Iroh endpoint that stays on this machine. Yours has a relay, and finds its peers.
async fn endpoint() -> Result<Endpoint, Box<dyn Error>> {
    let builder = Endpoint::builder(presets::Minimal).relay_mode(RelayMode::Disabled);
    Ok(builder.clear_ip_transports().bind_addr("127.0.0.1:0")?.bind().await?)
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let english = Arc::new(English); // one implementation behind both servers

    // The server that there is, with its layers, its reflection and its other services.
    let incoming = TcpIncoming::bind("127.0.0.1:0".parse()?)?;
    let address = incoming.local_addr()?;
    let server = Server::builder().add_service(GreeterServer::from_arc(english.clone()).into_grpc());
    tokio::spawn(server.serve_with_incoming(incoming));

    // What is new: an endpoint, and a router that accepts polywire's ALPN.
    let router = Router::builder(endpoint().await?)
        .accept(polywire::iroh::ALPN, GreeterServer::from_arc(english).into_iroh())
        .spawn();
    let peer = router.endpoint().addr();

    // The same client, over a tonic channel and over an Iroh endpoint.
    let channel = tonic::transport::Endpoint::from_shared(format!("http://{address}"))?.connect().await?;
    let over_grpc = GreeterClient::new(channel);
    let over_iroh = GreeterClient::new(Peer::new(endpoint().await?, peer));
    for client in [over_grpc, over_iroh] {
        println!("{}", client.greet(Text { text: "Ada".into() }).await?.text);
    }
    router.shutdown().await?;
    Ok(())
}
