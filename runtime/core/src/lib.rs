//! What every call goes through, from a generated client to a generated server: the waist ([`Service`]), the wire, the
//! transports, and the channel that chooses among them.
//!
//! This crate is what a transport of one's own depends on. Programs depend on `polywire`, which has all of it under the
//! same names, the macro, and the node. It knows no configuration format, no command line and no metrics registry: what a
//! program sets, counts and checks is handed in through small traits ([`settings::Section`], [`observer::Observer`],
//! [`transport::Checks`]).
//!
//! Arrows point down only:
//!
//! ```text
//! gateway                     serves one transport by calling another
//! balance                     one channel over several transports or members
//! policy                      arithmetic without IO or clock: backoff, budget, circuit, scores
//! transport                   the trait, targets, the edges, and the networks themselves
//! router  server  call  layer
//! channel                     a shared handle to a service
//! service                     the waist: unary, stream, method, services
//! trace  context  payload  streaming  status  metadata  codec  compression  method  code
//! wire                        the framing, as pure functions
//! ```

// So that the macros' expansions, which say `::polywire`, work in this crate's own tests.
#[allow(unused_extern_crates)]
extern crate self as polywire;

pub mod access;
mod access_class;
mod alias;
mod alpn;
pub mod balance;
mod body;
mod call;
mod caller;
mod channel;
mod code;
mod codec;
mod compression;
mod context;
mod deadline;
mod drain;
mod encoding;
mod explanation;
mod extensions;
mod gateway;
pub mod layer;
mod message;
mod message_fields;
mod message_type;
mod messages;
mod metadata;
mod method;
#[cfg(feature = "suggestions")]
mod nearest;
mod network_path;
pub mod observer;
mod panic;
mod payload;
mod plain;
pub mod policy;
mod private_file;
mod response;
mod router;
mod server;
mod server_timing;
mod service;
pub mod settings;
mod short_name;
mod status;
mod streaming;
mod sync;
pub mod trace;
mod trace_context;
pub mod transport;
mod truncated;
mod via;
mod watched;
pub mod wire;

#[doc(hidden)]
#[path = "private.rs"]
pub mod __private;
#[doc(hidden)]
#[path = "runner.rs"]
pub mod __runner;

pub use access::Authorize;
pub use access_class::{AccessClass, UnknownAccessClass};
pub use alias::Alias;
pub use alpn::{AlpnError, AlpnName};
pub use balance::{ChannelBuilder, ClusterBuilder, Fallback};
pub use body::Body;
pub use call::{Call, Receive};
pub use caller::{Caller, Identity, InvalidIdentity};
pub use channel::Channel;
pub use code::Code;
pub use codec::{Codec, CodecError, UnknownCodec};
pub use compression::{Compression, CompressionSet, UnknownCompression};
pub use context::Context;
pub use drain::{Drain, Phase};
pub use explanation::{
    Explanation, MemberExplanation, MemberService, ServiceExplanation, SubchannelExplanation, SubchannelState,
};
pub use extensions::Extensions;
pub use gateway::Gateway;
pub use layer::ServiceExt;
pub use message::Message;
pub use metadata::{Metadata, MetadataError};
pub use method::{Method, ServiceInfo, Shape};
pub use network_path::NetworkPath;
pub use payload::Payload;
pub use plain::{Plain, PlainLines};
#[cfg(test)]
pub use polywire_macros::service;
pub use response::Response;
pub use router::Router;
pub use server::Server;
pub use service::Service;
pub use short_name::{ShortName, ShortNameError};
pub use status::Status;
pub use streaming::Streaming;
pub use trace_context::{InvalidTraceParent, TraceContext};
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
pub use transport::{ConnectOptions, Limits, Target, TargetError};
pub use truncated::Truncated;
