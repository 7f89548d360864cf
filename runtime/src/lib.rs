//! Serves and calls one annotated Rust trait over gRPC, over Iroh and over other transports, with the same meaning on each.
//!
//! ```
//! # use polywire::Status;
//! # #[derive(Clone, PartialEq, prost::Message, serde::Serialize, serde::Deserialize)]
//! # pub struct Text { #[prost(string, tag = "1")] pub text: String }
//! #[polywire::service(package = "hello.v1")]
//! pub trait Greeter {
//!     async fn greet(&self, name: Text) -> Result<Text, Status>;
//! }
//!
//! struct English;
//!
//! impl Greeter for English {
//!     async fn greet(&self, name: Text) -> Result<Text, Status> {
//!         Ok(Text { text: format!("hello {}", name.text) })
//!     }
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Status> {
//! let client = GreeterClient::new(GreeterServer::new(English)); // or over a channel, a peer, a target
//! assert_eq!(client.greet(Text { text: "Ada".into() }).await?.text, "hello Ada");
//! # Ok(()) }
//! ```
//!
//! The server goes into a `tonic::transport::Server` by `into_grpc()`, into an `iroh::protocol::Router` by `into_iroh()`, and into a
//! [`Node`], which serves it over every transport. The client goes over a tonic channel, over [`iroh::Peer`], and over a [`Channel`]
//! made from [targets](Target): `Channel::builder().target("grpc://192.0.2.1:7001").connect().await?`.
//!
//! # The rooms
//!
//! Calls go down on the left and up on the right. In between stands one trait with two verbs, [`Service`]: a generated server is
//! one, and so are a [`Router`], a [layer], a connection, a [`Channel`] and a [`Gateway`]. So any server is a client, and any
//! connection can be served.
//!
//! ```text
//!  node        configuration, metrics, health, command line: a program assembled from services and transports
//!  ────────────────────────────────────────────────────────────────────────────────────────────────────────
//!  caller                                                                                      server
//!    generated client                                                            your implementation
//!    Call       deadline, metadata, codec                     Server   dispatch, timeouts, panics, limits
//!    Channel    picker, retry, hedge, mirror                  Router   many services;  layers around them
//!  ─ Service ──────────────────────────────────── the waist: unary, stream ─────────────────────── Service ─
//!    transport  outbound edge                                              inbound edge  transport
//!               gRPC    Iroh    QUIC    Unix sockets    WebSockets    memory    your own
//!    wire       pure functions over buffers: heads, messages, ends, metadata
//! ```
//!
//! | room | has |
//! |---|---|
//! | the root | the waist and what crosses it: [`Service`], [`Context`], [`Payload`], [`Streaming`], [`Response`], [`Status`], [`Metadata`] |
//! | [`layer`] | layers of your own, and tower's |
//! | [`access`] | who may call which method: classes, rules, credentials |
//! | [`policy`] | how a channel chooses: order, shares, adaptive choice, retries, hedging, mirroring |
//! | [`transport`] | the transports, and the traits by which one of your own comes in |
//! | [`wire`] | the framing of calls over streams, as `proto/WIRE.md` specifies it |
//! | [`trace`] | W3C trace context |
//! | [`node`], [`config`], [`metrics`], [`cli`], [`net`] | a node, with the feature `node` |
//!
//! # Goals
//!
//! - One definition for each service, in Rust, that names no transport.
//! - The same deadlines, cancellation, status codes, metadata, streaming and limits on every transport, shown by one suite.
//! - gRPC as it is: any client in any language, reflection, probes.
//! - A move from one transport to another in steps that are measured and can be taken back.
//! - Finite limits by default; nothing that a peer sends panics; no `unsafe`.
//!
//! # Non-goals
//!
//! - An interface language: messages are `prost` messages that serde knows.
//! - Queues, or delivery after a restart: a call has a caller who waits.
//! - A service mesh: there is no sidecar and no control plane.
//!
//! # When not to use it
//!
//! - Every peer speaks gRPC over HTTP/2 and always will: tonic alone has fewer parts.
//! - You want raw streams, blobs or gossip: iroh has these; polywire stands beside them in one router.
//! - All peers are Rust programs that you deploy together, without a schema: tarpc and irpc are smaller.
//! - Browsers that speak gRPC-Web or Connect: polywire speaks neither of the two.
//!
//! # Transports
//!
//! | transport | target | the caller is proved by | feature |
//! |---|---|---|---|
//! | gRPC | `grpc://host:port`, `grpcs://host:port` | | `grpc` |
//! | Iroh | `iroh://ENDPOINT_ID?addr=ip:port&relay=URL`, a ticket | its endpoint id | `iroh` |
//! | QUIC | `quic://host:port`, `quic://host:port?key=HEX` | its key, where it has one | `quic` |
//! | Unix sockets | `unix:///path/to/socket` | its user id | `unix` |
//! | WebSockets | `ws://host:port/path`, `wss://…` | | `websocket` |
//! | memory | `memory://name`, within a process | | `memory` |
//! | your own | what its [`Transport`](transport::Transport) parses | what it says | |
//!
//! All of them are on by default, and so are `node`, `gzip` and `zstd`; `jwt`, `mux`, `opentelemetry` and `otlp` are not. The suite that
//! transports are held to is the crate `polywire-conformance`.
//!
//! # Cancel safety
//!
//! Dropping the future of a call, or the stream that it gave, cancels the call: the handler's future is dropped at the server. Every
//! public `async fn` says what else dropping it does.
//!
//! # Words
//!
//! | word | means |
//! |---|---|
//! | call | one remote procedure call, with a deadline, metadata, messages each way, and a [`Status`] at the end |
//! | attempt | one try of a call |
//! | target | what a user names: `grpc://host:port` |
//! | endpoint | an address that serves |
//! | connection | a transport's connection to an endpoint, with many calls on it |
//! | subchannel | a channel's connection to one endpoint, with a connectivity state: idle, connecting, ready, transient failure |
//! | picker | orders the subchannels for an attempt |
//! | peer | the other end of a connection |
//! | member | a node of a cluster |
//! | deadline | when a call ends with `DEADLINE_EXCEEDED`, at both ends |
//! | retry | another attempt after a failure, where no handler saw the call or its method is idempotent |
//! | hedge | another attempt while the first is not answered yet |
//! | replay | sending the kept first messages of a stream again, in another attempt |
//! | mirror | a copy of a call, over another transport, whose response is only compared (configuration: `shadow`) |
//! | outlier | a member whose calls fail far more often than those of the best |
//! | ejection | keeping calls away from an outlier until it works again |
//! | drain | the orderly end of a server: no new calls, time for those in flight |
//!
//! # Where to go on
//!
//! The repository has a guide in `docs/` (first service, node, gateway, load balancing, cluster, migration, observability,
//! transports, adapters, references), programs to copy from in `examples/`, and the wire's specification in `proto/WIRE.md`. Start
//! with [`service`](macro@service), [`Channel`], [`NodeBuilder`] and [`Status`].

/// What expansions of the macros name. No part of the public contract.
#[doc(hidden)]
pub mod __private {
    pub use polywire_core::__private::*;
    #[cfg(feature = "node")]
    pub use polywire_runner::__private::*;
}

/// The networks that carry calls. None of them knows another; each turns calls at the waist into what its peers speak,
/// and back.
pub mod transport {
    pub use polywire_core::transport::*;
    // Before that of the core, which knows no configuration.
    #[cfg(feature = "node")]
    pub use polywire_runner::register;
}

#[doc(hidden)]
pub use polywire_core::__message_types;
#[cfg(feature = "grpc")]
pub use polywire_core::grpc;
#[cfg(feature = "iroh")]
pub use polywire_core::iroh;
#[cfg(feature = "memory")]
pub use polywire_core::memory;
#[cfg(feature = "quic")]
pub use polywire_core::quic;
#[cfg(feature = "unix")]
pub use polywire_core::unix;
#[cfg(feature = "websocket")]
pub use polywire_core::websocket;
pub use polywire_core::{
    AccessClass, Alias, AlpnError, AlpnName, Authorize, Body, Call, Caller, Channel, ChannelBuilder,
    ClusterBuilder, Code, Codec, CodecError, Compression, CompressionSet, ConnectOptions, Context, Drain,
    Explanation, Extensions, Fallback, Gateway, Identity, InvalidIdentity, InvalidTraceParent, Limits,
    MemberExplanation, MemberService, Message, Metadata, MetadataError, Method, NetworkPath, Payload, Phase,
    Plain, PlainLines, Receive, Response, Router, Server, Service, ServiceExplanation, ServiceExt,
    ServiceInfo, Shape, ShortName, ShortNameError, Status, Streaming, SubchannelExplanation, SubchannelState,
    Target, TargetError, TraceContext, Truncated, UnknownAccessClass, UnknownCodec, UnknownCompression,
};
pub use polywire_core::{access, layer, observer, policy, section, settings, trace, transport::net, wire};
pub use polywire_macros::{main, service};
#[cfg(feature = "jwt")]
pub use polywire_runner::jwt;
#[cfg(feature = "node")]
pub use polywire_runner::{
    Component, ComponentError, Exposure, Health, HealthReport, Node, NodeBuilder, NodeError, NodeHandle,
    NodeState, Parts, Targets, Upstream, cli, config, metrics, node, tokens,
};
