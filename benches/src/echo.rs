//! The service that polywire's contestants serve and call.

use bytes::Bytes;
use polywire::Status;
use serde::{Deserialize, Serialize};

/// What is sent and comes back, in protobuf `bytes` and in MessagePack `bin`.
#[derive(Clone, PartialEq, prost::Message, Serialize, Deserialize)]
pub struct Packet {
    /// The bytes.
    #[prost(bytes = "bytes", tag = "1")]
    pub payload: Bytes,
}

/// Sends back what it is sent.
#[polywire::service(package = "polywire.bench.v1")]
pub trait Echo {
    /// The same packet.
    async fn echo(&self, packet: Packet) -> Result<Packet, Status>;
}

/// The echo itself.
#[derive(Clone, Copy, Debug)]
pub struct Wall;

impl Echo for Wall {
    async fn echo(&self, packet: Packet) -> Result<Packet, Status> {
        Ok(packet)
    }
}
