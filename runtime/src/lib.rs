//! Annotate a Rust trait once; serve and call it over gRPC, over Iroh, and over whatever comes next, with
//! the same deadlines, cancellation, status codes, metadata, streaming and limits on each.

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
pub use polywire_core::__message_type;
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
    AlpnError, AlpnName, Body, Call, Caller, Channel, ChannelBuilder, Clipped, ClusterBuilder, Code, Codec,
    CodecError, Compression, CompressionSet, ConnectOptions, Context, Drain, Explanation, Extensions, Facade,
    Fallback, Gateway, InvalidTraceParent, Limits, MemberExplanation, MemberService, Message, Metadata,
    MetadataError, Method, NetworkPath, Payload, Phase, Receive, Response, RouteExplanation, RouteState,
    Router, Server, Service, ServiceExplanation, ServiceExt, ServiceInfo, Shape, ShortName, ShortNameError,
    Status, Streaming, Target, TargetError, TraceContext, UnknownCodec, UnknownCompression,
};
pub use polywire_core::{layer, observer, policy, section, settings, trace, transport::net, wire};
pub use polywire_macros::{main, service};
#[cfg(feature = "node")]
pub use polywire_runner::{
    Component, ComponentError, Exposure, Health, HealthReport, Node, NodeBuilder, NodeError, NodeHandle,
    NodeState, Parts, Targets, Upstream, cli, config, metrics, node,
};
