//! Calls over Unix sockets, through the [`mux`](super::mux): between processes of one machine, with the caller's
//! user id as who it is.
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
