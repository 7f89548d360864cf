//! Many streams over one pipe of bytes: a Unix socket, a TCP or TLS stream, a WebSocket's binary messages.
//! `proto/MUX.md` specifies what is on the wire; the names here are the names there.
//!
//! [`Mux`] greets the peer and gives a [`MuxConnection`], which is a
//! [`framed::Connection`](super::framed::Connection): calls run on it as they do on QUIC. The multiplexers
//! that there are (yamux, mplex, HTTP/2's streams without HTTP) lack what the framing of calls needs: a
//! reset with a code, which says whether a call was processed, and a stop of one direction apart from the
//! other, which is how a caller gives up. So this is one of our own.
//!
//! One task drives a connection. It gathers what the streams have to write and writes it in one go, so that
//! calls that are ready together share a packet without [`Batched`](super::framed) around it; it ends with
//! the connection.

mod batch;
mod config;
mod connection;
mod driver;
mod error;
mod frame;
mod incoming;
mod outgoing;
mod preface;
mod receive;
mod shared;
mod state;
mod stream;
#[cfg(test)]
mod tests;
mod transmit;

pub use config::MuxConfig;
pub use connection::{Mux, MuxConnection};
pub use error::{MuxCode, MuxError, Violation};
pub use stream::{MuxRecv, MuxSend};
