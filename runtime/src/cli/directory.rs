//! What a polywire node tells of itself: `polywire.directory.v1.Directory`.

use serde::{Deserialize, Serialize};

use super::lanes::Lanes;
use crate::{Codec, Metadata, Payload, Service as _, Shape, Status};

/// The path of its only method.
pub(super) const LIST: &str = "/polywire.directory.v1.Directory/List";

/// Asks for everything.
#[derive(Clone, PartialEq, prost::Message, Serialize, Deserialize)]
pub(super) struct ListRequest {}

/// Everything that is served.
#[derive(Clone, PartialEq, prost::Message, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct ListResponse {
    #[prost(message, repeated, tag = "1")]
    pub(super) services: Vec<Service>,
}

/// One service.
#[derive(Clone, PartialEq, prost::Message, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Service {
    #[prost(string, tag = "1")]
    pub(super) name: String,
    #[prost(string, tag = "2")]
    pub(super) documentation: String,
    #[prost(message, repeated, tag = "3")]
    pub(super) methods: Vec<Method>,
    #[prost(string, repeated, tag = "4")]
    pub(super) transports: Vec<String>,
}

/// One method.
#[derive(Clone, PartialEq, prost::Message, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Method {
    #[prost(string, tag = "1")]
    pub(super) name: String,
    #[prost(bool, tag = "2")]
    pub(super) client_streaming: bool,
    #[prost(bool, tag = "3")]
    pub(super) server_streaming: bool,
    #[prost(bool, tag = "4")]
    pub(super) idempotent: bool,
    #[prost(string, tag = "5")]
    pub(super) documentation: String,
}

impl Method {
    pub(super) fn shape(&self) -> Shape {
        shape(self.client_streaming, self.server_streaming)
    }
}

pub(super) fn shape(client_streaming: bool, server_streaming: bool) -> Shape {
    match (client_streaming, server_streaming) {
        (false, false) => Shape::Unary,
        (false, true) => Shape::ServerStreaming,
        (true, false) => Shape::ClientStreaming,
        (true, true) => Shape::BidiStreaming,
    }
}

/// Asks the target for everything that it serves.
pub(super) async fn list(lanes: &Lanes, metadata: &Metadata) -> Result<Vec<Service>, Status> {
    // Every node reads protobuf, whatever its transport prefers.
    let cx = lanes.context(LIST, metadata, Some(Codec::Protobuf), true);
    let answer = lanes.in_time(lanes.channel.unary(cx, Payload::new(ListRequest {}))).await?;
    Ok(answer.into_message().decode::<ListResponse>()?.services)
}
