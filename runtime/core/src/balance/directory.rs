//! A client of a node's directory. The messages of `polywire.directory.v1` are written by hand, as the crate with the
//! generated ones depends on this one.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{
    Channel, Codec, Context, Payload, Service as _, Shape, Status, TraceContext, context::Path, deadline,
};

/// The path of the only method.
pub const LIST: &str = "/polywire.directory.v1.Directory/List";

/// The request for the node's services.
#[derive(Clone, PartialEq, prost::Message, Serialize, Deserialize)]
#[serde(default)]
pub struct ListRequest {
    #[prost(bool, tag = "1")]
    pub members: bool,
}

/// The node's services.
#[derive(Clone, PartialEq, prost::Message, Serialize, Deserialize)]
#[serde(default)]
pub struct ListResponse {
    #[prost(message, repeated, tag = "1")]
    pub services: Vec<Service>,
    #[prost(message, optional, tag = "2")]
    pub node: Option<Node>,
    #[prost(uint64, tag = "3")]
    pub ttl_ms: u64,
    #[prost(message, optional, tag = "4")]
    pub cluster: Option<Cluster>,
}

/// A node and its endpoints.
#[derive(Clone, PartialEq, prost::Message, Serialize, Deserialize)]
#[serde(default)]
pub struct Node {
    #[prost(string, tag = "1")]
    pub id: String,
    #[prost(string, tag = "2")]
    pub name: String,
    #[prost(message, repeated, tag = "3")]
    pub endpoints: Vec<Endpoint>,
    #[prost(fixed64, tag = "4")]
    pub incarnation: u64,
    #[prost(string, tag = "5")]
    pub conflict: String,
}

/// An endpoint of a node.
#[derive(Clone, PartialEq, prost::Message, Serialize, Deserialize)]
#[serde(default)]
pub struct Endpoint {
    #[prost(string, tag = "1")]
    pub transport: String,
    #[prost(string, tag = "2")]
    pub target: String,
    #[prost(string, repeated, tag = "3")]
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub alpns: Vec<String>,
}

/// A cluster, as one of its members knows it.
#[derive(Clone, PartialEq, prost::Message, Serialize, Deserialize)]
#[serde(default)]
pub struct Cluster {
    #[prost(string, tag = "1")]
    pub id: String,
    #[prost(uint64, tag = "2")]
    pub revision: u64,
    #[prost(message, repeated, tag = "3")]
    pub members: Vec<Member>,
}

/// Another member, as the node that answers knows it.
#[derive(Clone, PartialEq, prost::Message, Serialize, Deserialize)]
#[serde(default)]
pub struct Member {
    #[prost(message, optional, tag = "1")]
    pub node: Option<Node>,
    #[prost(message, repeated, tag = "2")]
    pub services: Vec<Service>,
    #[prost(bool, tag = "3")]
    pub reached: bool,
    #[prost(string, tag = "4")]
    pub failure: String,
    #[prost(uint64, optional, tag = "5")]
    pub age_ms: Option<u64>,
}

/// A service.
#[derive(Clone, PartialEq, prost::Message, Serialize, Deserialize)]
#[serde(default)]
pub struct Service {
    #[prost(string, tag = "1")]
    pub name: String,
    #[prost(string, tag = "2")]
    pub documentation: String,
    #[prost(message, repeated, tag = "3")]
    pub methods: Vec<Method>,
    #[prost(string, repeated, tag = "4")]
    pub transports: Vec<String>,
    #[prost(string, tag = "5")]
    pub version: String,
    #[prost(string, tag = "6")]
    pub fingerprint: String,
    #[prost(message, repeated, tag = "7")]
    pub endpoints: Vec<Endpoint>,
}

/// A method.
#[derive(Clone, PartialEq, prost::Message, Serialize, Deserialize)]
#[serde(default)]
pub struct Method {
    #[prost(string, tag = "1")]
    pub name: String,
    #[prost(bool, tag = "2")]
    pub client_streaming: bool,
    #[prost(bool, tag = "3")]
    pub server_streaming: bool,
    #[prost(bool, tag = "4")]
    pub idempotent: bool,
    #[prost(string, tag = "5")]
    pub documentation: String,
    #[prost(string, tag = "6")]
    pub access: String,
}

impl Method {
    pub fn shape(&self) -> Shape {
        shape(self.client_streaming, self.server_streaming)
    }
}

pub fn shape(client_streaming: bool, server_streaming: bool) -> Shape {
    match (client_streaming, server_streaming) {
        (false, false) => Shape::Unary,
        (false, true) => Shape::ServerStreaming,
        (true, false) => Shape::ClientStreaming,
        (true, true) => Shape::BidiStreaming,
    }
}

/// Asks the peer for its services; with `members`, for those of the other members of its cluster too.
///
/// # Errors
/// Those of the call: `Unimplemented` if the peer has no directory, `DeadlineExceeded` if it does not answer within
/// `patience`.
///
/// # Cancel safety
/// Dropping the future cancels the call.
pub async fn list(channel: &Channel, members: bool, patience: Duration) -> Result<ListResponse, Status> {
    // Not sampled: periodic calls would hide other traces.
    let cx = Context::new().with_trace(TraceContext::unsampled()).with_timeout(patience);
    // Every node reads protobuf, on any transport.
    let mut cx = cx.with_codec(Codec::Protobuf);
    cx.path = Path::Static(LIST);
    cx.idempotent = true;
    let limit = cx.deadline;
    let asking = channel.unary(cx, Payload::new(ListRequest { members }));
    deadline::bound(limit, asking).await?.into_message().decode()
}
