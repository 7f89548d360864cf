//! Annotate a Rust trait once; serve and call it over gRPC, over Iroh, and over whatever comes next, with
//! the same deadlines, cancellation, status codes, metadata, streaming and limits on each.

// So that the macros' expansions, which say `::polywire`, work in this crate's own tests and examples.
#[allow(unused_extern_crates)]
extern crate self as polywire;

mod body;
mod call;
mod channel;
#[cfg(feature = "node")]
pub mod cli;
mod clipped;
mod code;
mod codec;
mod compression;
#[cfg(feature = "node")]
pub mod config;
mod context;
mod deadline;
#[cfg(feature = "node")]
mod directory;
mod drain;
mod encoding;
mod extensions;
mod facade;
mod gateway;
mod health;
pub mod layer;
mod message;
mod message_type;
mod metadata;
mod method;
#[cfg(feature = "node")]
pub mod metrics;
#[cfg(feature = "node")]
mod nearest;
#[cfg(feature = "node")]
pub mod net;
#[cfg(feature = "node")]
pub mod node;
mod panic;
mod payload;
pub mod policy;
mod response;
mod router;
mod server;
mod server_timing;
mod service;
mod short_name;
mod status;
mod streaming;
#[cfg(feature = "node")]
mod target;
pub mod trace;
pub mod transport;
#[cfg(feature = "node")]
mod watched;
pub mod wire;

#[doc(hidden)]
#[path = "private.rs"]
pub mod __private;

pub use body::Body;
pub use call::{Call, Receive};
#[cfg(feature = "node")]
pub use channel::ClusterBuilder;
pub use channel::{
    Channel, ChannelBuilder, Explanation, Fallback, MemberExplanation, MemberService, RouteExplanation,
    RouteState, ServiceExplanation,
};
pub use clipped::Clipped;
pub use code::Code;
pub use codec::{Codec, CodecError, UnknownCodec};
pub use compression::{Compression, CompressionSet, UnknownCompression};
pub use context::{Caller, Context};
pub use drain::{Drain, Phase};
pub use extensions::Extensions;
pub use facade::Facade;
pub use gateway::Gateway;
pub use health::{Health, HealthReport, NodeState};
pub use message::Message;
pub use metadata::{Metadata, MetadataError};
pub use method::{Method, ServiceInfo, Shape};
#[cfg(feature = "node")]
pub use node::{
    Component, ComponentError, Exposure, Node, NodeBuilder, NodeError, NodeHandle, Parts, Targets, Upstream,
};
pub use payload::Payload;
pub use polywire_macros::{main, service};
pub use response::Response;
pub use router::Router;
pub use server::Server;
pub use service::Service;
pub use short_name::{ShortName, ShortNameError};
pub use status::Status;
pub use streaming::Streaming;
#[cfg(feature = "node")]
pub use target::{ConnectOptions, Target, TargetError};
pub use trace::{InvalidTraceParent, TraceContext};
#[cfg(feature = "grpc")]
pub use transport::grpc;
#[cfg(feature = "iroh")]
pub use transport::iroh;
#[cfg(feature = "memory")]
pub use transport::memory;
#[cfg(feature = "quic")]
pub use transport::quic;
#[cfg(feature = "unix")]
pub use transport::unix;
#[cfg(feature = "websocket")]
pub use transport::websocket;
pub use transport::{AlpnError, AlpnName, Limits};
