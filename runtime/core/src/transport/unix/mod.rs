//! Calls over Unix sockets, between processes of one machine, with the caller's user id as who it is.
//!
//! Our own clients call through the [`mux`](super::mux). A listener tells by the first byte of a connection whether the client
//! speaks HTTP/2 instead, and answers that as gRPC in a build that has it: so a node is reached by `grpcurl -unix` and by
//! grpcio's `unix:/path` on the same socket.
//!
//! ```toml
//! [transport.unix]
//! enabled = true
//! path = "/run/inventory/polywire.sock"     # unix:///run/inventory/polywire.sock
//! ```

mod address;
mod listener;
mod socket;
mod transport;

pub use address::Address;
pub use listener::Listener;
pub use transport::{Config, Unix};

/// The name of this transport in metrics, configuration and [`Caller`](crate::Caller).
pub const NAME: &str = "unix";
