//! Calls within the process, for tests and for services that live side by side: what is sent stays typed, and
//! nothing is encoded.
//!
//! In everything else a call means what it means on a network. It crosses a boundary that has limits, drains and
//! can be cut; metadata that was meant for this hop stops here; a stream runs in a task of its own, is held back
//! by a reader that is slow, and ends by its deadline even if it is not read. (A plain
//! [`Channel`](crate::Channel) to a server has none of that: it is a function call.) Sizes are those that the
//! messages would have in protobuf.
//!
//! ```toml
//! [transport.memory]
//! enabled = true
//! name = "inventory"     # memory://inventory, anywhere in this process
//! ```

mod bound;
mod connection;
mod dispatch;
mod names;
mod server;
mod transport;

pub use bound::Listening;
pub use transport::{Address, Config, Memory};

/// The name of this transport in metrics, configuration and [`Caller`](crate::Caller).
pub const NAME: &str = "memory";
