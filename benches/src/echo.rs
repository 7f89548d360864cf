//! The service that polywire's contestants serve and call.

use bytes::Bytes;
use polywire::{Status, Streaming};
use serde::{Deserialize, Serialize};

use crate::pattern::Script;

/// What is sent and comes back, in protobuf `bytes` and in MessagePack `bin`.
#[derive(Clone, PartialEq, prost::Message, Serialize, Deserialize)]
pub struct Packet {
    /// The bytes.
    #[prost(bytes = "bytes", tag = "1")]
    pub payload: Bytes,
}

/// Sends back what it is sent, and streams what it is asked for.
#[polywire::service(package = "polywire.bench.v1")]
pub trait Echo {
    /// The same packet.
    #[rpc(idempotent)]
    async fn echo(&self, packet: Packet) -> Result<Packet, Status>;
    /// The script's messages.
    async fn subscribe(&self, script: Script) -> Result<Streaming<Packet>, Status>;
}

/// The echo itself.
#[derive(Clone, Copy, Debug)]
pub struct Wall;

impl Echo for Wall {
    async fn echo(&self, packet: Packet) -> Result<Packet, Status> {
        Ok(packet)
    }

    async fn subscribe(&self, script: Script) -> Result<Streaming<Packet>, Status> {
        Ok(Streaming::from_iter(script.messages().map(|payload| Packet { payload })))
    }
}
