//! Calls over anything that opens and accepts bidirectional streams of bytes: the framing of
//! [`wire`](crate::wire), driven. One stream is one call; its reset is the call's cancellation, its flow
//! control is the call's backpressure.

mod batched;
mod client;
mod fill;
mod incoming;
mod link;
mod listener;
#[cfg(test)]
#[path = "tests/pair.rs"]
mod pair;
mod peer;
mod serve;
mod server;
mod stream;
#[cfg(test)]
mod tests;
mod transport;

pub use batched::{Batched, BatchedSend};
pub(crate) use client::{FirstWrite, FramedClient, RequestStreams};
pub use link::Dial;
#[cfg(feature = "iroh")]
pub(crate) use link::Link;
pub use listener::{Accepted, Handshake, Listener};
pub use peer::Peer;
#[cfg(feature = "iroh")]
pub(crate) use serve::serve_counted;
#[cfg_attr(
    not(feature = "iroh"),
    expect(unused_imports, reason = "Iroh's own router serves a connection alone")
)]
pub(crate) use serve::{Answering, answer_calls};
pub use serve::{ServeOptions, serve};
pub(crate) use server::{FramedServer, serve_connection};
pub use stream::{Connection, Proof, RecvStream, SendStream, StreamError};
pub use transport::{Listening, StreamTransport};
