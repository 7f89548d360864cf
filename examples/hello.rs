//! One trait, called in the process, over gRPC and over Iroh.

use polywire::{Channel, Context, Node, Status, config::Loader};

#[derive(Clone, PartialEq, prost::Message, serde::Serialize, serde::Deserialize)]
#[serde(default)]
pub struct Text {
    #[prost(string, tag = "1")]
    pub text: String,
}

#[polywire::service(package = "hello.v1")]
pub trait Greeter {
    #[rpc(idempotent, timeout = "5s")]
    async fn greet(&self, cx: &Context, name: Text) -> Result<Text, Status>;
}

struct English;

impl Greeter for English {
    async fn greet(&self, cx: &Context, name: Text) -> Result<Text, Status> {
        Ok(Text { text: format!("hello {}, over {}", name.text, cx.transport()) })
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let ada = Text { text: "Ada".into() };
    let client = GreeterClient::new(GreeterServer::new(English)); // no socket, nothing encoded
    println!("{}", client.greet(ada.clone()).await?.text);

    let free_port =
        Loader::new().flag("transport.grpc.bind_address", "127.0.0.1:0").flag("http.enabled", "false");
    let config = free_port.load()?.config;
    let node = Node::builder().service(GreeterServer::new(English)).config(config).bind().await?;
    let targets = node.targets().transports.clone();
    tokio::spawn(node.serve(std::future::pending()));
    for (_, target) in targets {
        let client = GreeterClient::new(Channel::builder().target(target).connect().await?);
        println!("{}", client.greet(ada.clone()).await?.text);
    }
    Ok(())
}
