//! What the examples share: a server and a client of it in one program, with a real socket between them.

use std::{error::Error, future::pending};

use polywire::{Channel, Node, Service, config::Loader};

/// Serves this over gRPC on a free port of loopback, until the program ends, and connects to it.
///
/// A program of its own has `#[polywire::main]` on the one side and `Channel::builder().target("grpc://…")` on the
/// other.
///
/// # Errors
/// When nothing can be bound or connected.
pub async fn over_grpc(service: impl Service) -> Result<Channel, Box<dyn Error>> {
    let config = Loader::new()
        .flag("transport.mode", "grpc")
        .flag("transport.grpc.bind_address", "127.0.0.1:0")
        .flag("http.enabled", "false")
        .load()?
        .config;
    let node = Node::builder().service(service).config(config).bind().await?;
    let target = node.targets().get("grpc").ok_or("gRPC is off")?.to_owned();
    tokio::spawn(node.serve(pending()));
    Ok(Channel::builder().target(target).connect().await?)
}

/// The blocks of the guide are examples of this crate's documentation: they are compiled, and run, with them.
#[cfg(doctest)]
mod guide {
    macro_rules! chapters {
        ($($chapter:ident: $file:literal)*) => {
            $(#[doc = include_str!(concat!("../../docs/src/", $file))]
            pub struct $chapter;)*
        };
    }

    chapters! {
        FirstService: "first-service.md"
        Node: "node.md"
        Access: "access.md"
        Gateway: "gateway.md"
        LoadBalancing: "load-balancing.md"
        Cluster: "cluster.md"
        Migration: "migration.md"
        WritingATransport: "writing-a-transport.md"
        Extending: "extending.md"
        Adapters: "adapters.md"
        ComingFrom: "coming-from.md"
    }
}
