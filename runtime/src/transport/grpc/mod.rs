//! Calls over gRPC: HTTP/2, as every gRPC client and server in any language speaks it.
//!
//! Connections are tonic's on the calling side, and whatever serves a tower service on the other: a tonic
//! `Server`, axum, or the node's own listener. Between the two, the message framing is read and written
//! here rather than by tonic's `Grpc`, because that cannot trail a success with metadata, refuse a second
//! message of a unary call, say `RESOURCE_EXHAUSTED` of a large one, give up on a slow one, or pass
//! encoded bytes on without a copy.
//!
//! Source of the format: [gRPC over HTTP/2](https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md).

mod adapter;
#[cfg(feature = "node")]
mod bound;
mod client;
mod compression;
#[cfg(feature = "node")]
mod connector;
mod head;
mod incoming;
mod metadata;
mod outgoing;
#[cfg(feature = "node")]
mod renewing;
mod status;
#[cfg(feature = "node")]
mod target;
mod timeout;
#[cfg(feature = "node")]
mod transport;

pub use adapter::Adapter;
#[cfg(feature = "node")]
pub use bound::Listening;
pub use client::Connection;
#[cfg(feature = "node")]
pub use target::Address;
#[cfg(feature = "node")]
pub use transport::Grpc;

/// The name of this transport in metrics, configuration and [`Caller`](crate::Caller).
pub const NAME: &str = "grpc";
