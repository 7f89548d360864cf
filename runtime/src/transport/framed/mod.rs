//! Calls over anything that opens and accepts bidirectional streams of bytes: the framing of
//! [`wire`](crate::wire), driven. One stream is one call; its reset is the call's cancellation, its flow
//! control is the call's backpressure.

#[cfg_attr(not(feature = "iroh"), allow(dead_code))]
mod batched;
mod client;
mod fill;
mod incoming;
#[cfg(test)]
mod memory;
mod server;
mod stream;
#[cfg(test)]
mod tests;

#[cfg_attr(not(feature = "iroh"), allow(unused_imports))]
pub(crate) use batched::Batched;
pub(crate) use client::{FirstWrite, RequestStreams, Requester};
pub(crate) use server::{Responder, serve_connection};
pub use stream::{Connection, RecvStream, SendStream, StreamError};
