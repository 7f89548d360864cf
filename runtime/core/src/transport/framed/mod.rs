//! Calls over anything that opens and accepts bidirectional streams of bytes: the framing of
//! [`wire`](crate::wire), driven. One stream is one call; its reset is the call's cancellation, its flow
//! control is the call's backpressure.

mod answer;
mod batched;
mod body;
mod client;
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
#[cfg(test)]
pub(crate) use client::Outgoing;
pub(crate) use client::RequestStreams;
pub use link::Dial;
#[cfg(feature = "iroh")]
pub(crate) use link::Link;
pub use listener::{Accepted, Handshake, Listener};
pub use peer::Peer;
#[cfg_attr(
    not(feature = "iroh"),
    expect(unused_imports, reason = "Iroh's own router serves a connection alone")
)]
pub(crate) use serve::answer_calls;
#[cfg(feature = "iroh")]
pub(crate) use serve::serve_inbound;
pub use serve::{ServeOptions, serve};
pub(crate) use server::serve_connection;
pub use stream::{Connection, Proof, RecvStream, SendStream, StreamError};
pub use transport::{Listening, StreamTransport};
