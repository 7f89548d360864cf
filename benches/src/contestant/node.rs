//! polywire as its users have it: a node serves, and a target that it prints leads there. One row of
//! [`TRANSPORTS`] is all that a further transport takes.

use std::sync::Arc;

use bytes::Bytes;
use polywire::{
    Channel, Codec, ConnectOptions, Node, Target,
    config::Loader,
    iroh::{Dialer, QuicProfile},
    policy::{Hedge, Policy},
};
use tempfile::TempDir;

use super::{Caller, Contestant, Result, Stack, roster};
use crate::{
    echo::{EchoClient, EchoServer, Packet, Wall},
    loopback,
    pattern::{Check, Script},
    pki::Pki,
};

/// A way to reach a node.
struct Transport {
    /// The contestant's name.
    name: &'static str,
    /// Whose figures it is held against.
    peer: Option<&'static str>,
    /// The transport's section of what the node is configured with; `CERT` and `KEY` stand for files,
    /// `DATA` for a directory.
    config: &'static str,
    /// Under which name the node prints the target.
    target: &'static str,
    /// A second target of the same channel, which then has everything on that a policy can have and goes on taking the
    /// first.
    beside: Option<&'static str>,
    /// How calls are encoded; `None` for the transport's own default.
    codec: Option<Codec>,
}

const TRANSPORTS: &[Transport] = &[
    Transport {
        name: roster::POLYWIRE_GRPC,
        peer: Some(roster::TONIC),
        config: "mode = 'grpc'\ngrpc.bind_address = '127.0.0.1:0'",
        target: "grpc",
        beside: None,
        codec: None,
    },
    Transport {
        name: "polywire over grpc, iroh beside",
        peer: Some(roster::POLYWIRE_GRPC),
        config: "mode = 'dual'\ngrpc.bind_address = '127.0.0.1:0'",
        target: "grpc",
        beside: Some("iroh"),
        codec: None,
    },
    Transport {
        name: roster::POLYWIRE_GRPC_TLS,
        peer: Some(roster::TONIC_TLS),
        config: "mode = 'grpc'\ngrpc = { bind_address = '127.0.0.1:0', tls_enabled = true, tls_cert = 'CERT', tls_key = 'KEY' }",
        target: "grpc",
        beside: None,
        codec: None,
    },
    Transport {
        name: roster::POLYWIRE_IROH,
        peer: Some(roster::IROH),
        config: "mode = 'iroh'",
        target: "iroh",
        beside: None,
        codec: None,
    },
    Transport {
        name: "polywire over iroh, protobuf",
        peer: Some(roster::IROH),
        config: "mode = 'iroh'",
        target: "iroh",
        beside: None,
        codec: Some(Codec::Protobuf),
    },
    Transport {
        name: "polywire over quic",
        peer: Some(roster::QUINN),
        config: "mode = 'grpc'\ngrpc.bind_address = '127.0.0.1:0'\nquic = { enabled = true, bind_address = '127.0.0.1:0' }",
        target: "quic",
        beside: None,
        codec: None,
    },
    Transport {
        name: "polywire over unix sockets",
        peer: None,
        config: "mode = 'grpc'\ngrpc.bind_address = '127.0.0.1:0'\nunix = { enabled = true, path = 'DATA/socket' }",
        target: "unix",
        beside: None,
        codec: None,
    },
    Transport {
        name: "polywire over websockets",
        peer: None,
        config: "mode = 'grpc'\ngrpc.bind_address = '127.0.0.1:0'\nwebsocket = { enabled = true, bind_address = '127.0.0.1:0' }",
        target: "websocket",
        beside: None,
        codec: None,
    },
    Transport {
        name: "polywire over memory",
        peer: None,
        config: "mode = 'grpc'\ngrpc.bind_address = '127.0.0.1:0'\nmemory = { enabled = true, name = 'bench' }",
        target: "memory",
        beside: None,
        codec: None,
    },
];

/// Starts a node for each transport.
pub(super) async fn contestants(pki: &Pki) -> Result<Vec<Contestant>> {
    let mut contestants = Vec::with_capacity(TRANSPORTS.len());
    for transport in TRANSPORTS {
        let stack = Polywire::start(transport, pki).await?;
        contestants.push(Contestant::new(transport.name, transport.peer, stack).await?);
    }
    Ok(contestants)
}

/// A node, and what its clients connect with.
#[derive(Clone)]
struct Polywire {
    target: Target,
    beside: Option<Target>,
    options: ConnectOptions,
    /// Peers that are dialled by key are dialled from here.
    endpoint: iroh::Endpoint,
    _node: Arc<(Node, TempDir)>,
}

impl Polywire {
    async fn start(transport: &Transport, pki: &Pki) -> Result<Self> {
        let data = TempDir::new()?;
        let config = transport
            .config
            .replace("CERT", &pki.certificate().path.to_string_lossy())
            .replace("DATA", &data.path().to_string_lossy())
            .replace("KEY", &pki.key().path.to_string_lossy());
        let config = Loader::new()
            .text("bench.toml", format!("[transport]\n{config}\n[http]\nenabled = false\n"))
            .flag("node.data_dir", data.path())
            .load()?
            .config;
        let node = Node::builder().config(config).service(EchoServer::new(Wall)).bind().await?;
        // As `serve --json` prints them, so that a transport is found by its name.
        let targets = serde_json::to_value(node.targets())?;
        let named = |name: &str| -> Result<Target> {
            Ok(targets[name].as_str().ok_or("the node does not serve it")?.parse()?)
        };
        let target = named(transport.target)?;
        let beside = transport.beside.map(named).transpose()?;
        let mut options = ConnectOptions::new().ca_file(&pki.authority().path);
        if let Some(codec) = transport.codec {
            options = options.codec(codec);
        }
        let endpoint = loopback::endpoint(QuicProfile::default().transport_config(), &[]).await?;
        Ok(Self { target, beside, options, endpoint, _node: Arc::new((node, data)) })
    }
}

impl Stack for Polywire {
    type Caller = EchoClient;

    async fn connect(&self) -> Result<EchoClient> {
        // A dialler pools its connections: another one makes another connection, as over all other transports.
        let options = self.options.clone().with(Dialer::new(self.endpoint.clone()));
        let Some(beside) = &self.beside else {
            return Ok(EchoClient::new(self.target.connect(&options).await?));
        };
        let policy = Policy::default().share(1.0).hedge(Hedge::Percentile(99));
        let targets = [self.target.clone(), beside.clone()];
        Ok(EchoClient::new(
            Channel::builder().options(options).targets(targets).policy(policy).connect().await?,
        ))
    }
}

impl Caller for EchoClient {
    async fn echo(&mut self, payload: Bytes) -> Result<Bytes> {
        Ok(Self::echo(self, Packet { payload }).await?.payload)
    }

    async fn subscribe(&mut self, script: Script, check: &mut Check) -> Result<()> {
        let mut packets = Self::subscribe(self, script).await?;
        while let Some(packet) = packets.message().await? {
            check.message(&packet.payload)?;
        }
        Ok(())
    }
}
