//! An Iroh application has a protocol of its own; it adds a polywire service, and opens that to gRPC clients too.

use std::{error::Error, sync::Arc};

use iroh::{
    Endpoint, EndpointAddr, RelayMode,
    endpoint::{Connection, presets},
    protocol::{AcceptError, ProtocolHandler, Router},
};
use polywire::{Channel, Context, Status, iroh::Dialer};
use tonic::transport::{Server, server::TcpIncoming};

/// The protocol that the application had before: it echoes what it is sent.
#[derive(Debug)]
struct Echo;

const ECHO: &[u8] = b"example/echo/1";

impl ProtocolHandler for Echo {
    async fn accept(&self, connection: Connection) -> Result<(), AcceptError> {
        while let Ok((mut send, mut recv)) = connection.accept_bi().await {
            let text = recv.read_to_end(1024).await.map_err(AcceptError::from_err)?;
            send.write_all(&text).await.map_err(AcceptError::from_err)?;
            send.finish()?;
        }
        Ok(())
    }
}

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
        // On Iroh the peer has proved its key; gRPC without client certificates proves nothing.
        let proved = cx.caller().is_some_and(|caller| caller.identity.is_some());
        Ok(Text { text: format!("hello {}, over {}, key proved: {proved}", name.text, cx.transport()) })
    }
}

async fn endpoint() -> Result<Endpoint, Box<dyn Error>> {
    let builder = Endpoint::builder(presets::Minimal).relay_mode(RelayMode::Disabled);
    Ok(builder.clear_ip_transports().bind_addr("127.0.0.1:0")?.bind().await?)
}

async fn echo(endpoint: &Endpoint, peer: EndpointAddr, text: &str) -> Result<String, Box<dyn Error>> {
    let (mut send, mut recv) = endpoint.connect(peer, ECHO).await?.open_bi().await?;
    send.write_all(text.as_bytes()).await?;
    send.finish()?;
    Ok(String::from_utf8(recv.read_to_end(1024).await?)?)
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let english = Arc::new(English);

    // One router, two protocols: the service is one more `accept`.
    let router = Router::builder(endpoint().await?)
        .accept(ECHO, Echo)
        .accept(polywire::iroh::ALPN, GreeterServer::from_arc(english.clone()).into_iroh())
        .spawn();
    let peer = router.endpoint().addr();

    // What is new for clients without Iroh: the same implementation in a gRPC server.
    let incoming = TcpIncoming::bind("127.0.0.1:0".parse()?)?;
    let grpc = format!("grpc://{}", incoming.local_addr()?);
    let server = Server::builder().add_service(GreeterServer::from_arc(english).into_grpc());
    tokio::spawn(server.serve_with_incoming(incoming));

    let own = endpoint().await?;
    println!("{}", echo(&own, peer.clone(), "echo").await?);
    // A dialer keeps one connection to each peer, for all clients that are made of it.
    let over_iroh = GreeterClient::new(Dialer::new(own).peer(peer));
    let over_grpc = GreeterClient::new(Channel::builder().target(grpc).connect().await?);
    for client in [over_iroh, over_grpc] {
        println!("{}", client.greet(Text { text: "Ada".into() }).await?.text);
    }
    router.shutdown().await?;
    Ok(())
}
