//! Calls over gRPC: HTTP/2, as every gRPC client and server in any language speaks it.
//!
//! Connections are tonic's on the calling side, and whatever serves a tower service on the other: a tonic
//! `Server`, axum, or the node's own listener. Between the two, the message framing is read and written
//! here rather than by tonic's `Grpc`, because that cannot trail a success with metadata, refuse a second
//! message of a unary call, say `RESOURCE_EXHAUSTED` of a large one, give up on a slow one, or pass
//! encoded bytes on without a copy.
//!
//! # What gRPC has no word for
//! That no handler saw a call, so that it may be made again whatever it does, our servers say by the header
//! `polywire-not-processed` where headers alone end the call, and our clients take their word for it. Neither callers nor
//! handlers can say so: the name is no metadata.
//!
//! Peers refuse headers over 8 KiB, some by chance, so an answer's leading metadata and what ends it stay within that
//! each. Of a status that is larger the message gives way first, then the details, then the metadata; the message says so,
//! and the code always arrives. Our clients say by `polywire-max-metadata` that they take what their
//! [`Limits`](crate::Limits) allow.
//!
//! # Calls that a connection did not take
//! A stream that was refused, left out by GOAWAY or never sent is opened once more, in every shape, while its first
//! messages are kept: 256 KiB of them, until the answer begins. Source:
//! [gRFC A6](https://github.com/grpc/proposal/blob/master/A6-client-retries.md#transparent-retries).
//!
//! Source of the format: [gRPC over HTTP/2](https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md).

mod adapter;
mod bound;
mod client;
mod compression;
mod connector;
mod head;
mod incoming;
mod keep_alive;
mod metadata;
mod outgoing;
mod peer;
#[cfg(feature = "unix")]
mod pipes;
mod renewing;
mod status;
mod target;
mod timeout;
mod transparent_retry;
mod transport;

pub use adapter::Adapter;
pub use bound::Listening;
pub use client::Connection;
pub use peer::caller_of;
#[cfg(feature = "unix")]
pub(crate) use pipes::Pipes;
pub use target::Address;
pub use transport::Grpc;

/// The name of this transport in metrics, configuration and [`Caller`](crate::Caller).
pub const NAME: &str = "grpc";
