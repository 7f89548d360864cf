//! One channel over several transports to a peer: order, fallback, shares of traffic, and why a call went where it went.

use std::{collections::BTreeMap, error::Error, future::pending};

use polywire::{Channel, Context, Node, Status, config::Loader, policy::Policy};

#[derive(Clone, PartialEq, prost::Message, serde::Serialize, serde::Deserialize)]
#[serde(default)]
pub struct Empty {}

#[derive(Clone, PartialEq, prost::Message, serde::Serialize, serde::Deserialize)]
#[serde(default)]
pub struct Transport {
    #[prost(string, tag = "1")]
    pub name: String,
}

#[polywire::service(package = "which.v1")]
pub trait Which {
    /// The transport that the call came over.
    #[rpc(idempotent)]
    async fn transport(&self, cx: &Context, request: Empty) -> Result<Transport, Status>;
}

struct Mirror;

impl Which for Mirror {
    async fn transport(&self, cx: &Context, _: Empty) -> Result<Transport, Status> {
        Ok(Transport { name: cx.transport().to_owned() })
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let config = Loader::new()
        .flag("transport.grpc.bind_address", "127.0.0.1:0")
        .flag("http.enabled", "false")
        .load()?
        .config;
    let node = Node::builder().service(WhichServer::new(Mirror)).config(config).bind().await?;
    let target = |transport| node.targets().get(transport).map(str::to_owned).ok_or("it is off");
    let (grpc, iroh) = (target("grpc")?, target("iroh")?);
    tokio::spawn(node.serve(pending()));

    // The order of the targets is the order of preference.
    let channel = Channel::builder().target(&*iroh).target(&*grpc).connect().await?;
    let client = WhichClient::new(channel);
    client.transport(Empty {}).await?; // races the transports: the preferred one has a head start of 250 ms
    println!("preferred: {}", client.transport(Empty {}).await?.name);

    // Nothing listens at the first target: the call has reached no handler there, so it is made over the second.
    let channel = Channel::builder()
        .target("ws://127.0.0.1:1/")
        .target(&*grpc)
        .on_fallback(|fallback| println!("fallback: {} does not work", fallback.from))
        .connect()
        .await?;
    println!("fallback took: {}", WhichClient::new(channel.clone()).transport(Empty {}).await?.name);
    // What the next call would take, and why: a table for people, and fields for programs.
    let explanation = channel.explain().ok_or("there is nothing to choose")?;
    for service in &explanation.services {
        println!("the next call takes {}", service.taken);
    }

    // A quarter of the calls prefers Iroh, as a migration would have it after its second step.
    let policy = Policy::default().prefer(["iroh", "grpc"]).share(0.25);
    let channel = Channel::builder().target(&*iroh).target(&*grpc).policy(policy).connect().await?;
    let client = WhichClient::new(channel);
    let mut calls = BTreeMap::<String, u32>::new();
    for _ in 0..400 {
        *calls.entry(client.transport(Empty {}).await?.name).or_default() += 1;
    }
    println!("shares: {calls:?}");
    Ok(())
}
