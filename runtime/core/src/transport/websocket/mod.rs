//! Calls over WebSockets ([RFC 6455](https://www.rfc-editor.org/rfc/rfc6455)), through the [`mux`](super::mux): for
//! browsers, and for callers whose way out is an HTTP proxy. `proto/MUX.md`, section 8, specifies it.
//!
//! ```toml
//! [transport.websocket]
//! enabled = true
//! bind_address = "127.0.0.1:7003"                  # ws://127.0.0.1:7003
//! allowed_origins = ["https://shop.example"]       # pages that may call; none without
//! ```

mod accept_key;
mod address;
mod config;
mod dial;
mod handshake;
mod head;
mod listener;
mod origin;
mod pipe;
#[cfg(not(feature = "websocket-tls"))]
#[path = "no_tls.rs"]
mod tls;
#[cfg(feature = "websocket-tls")]
mod tls;
mod transport;
mod upgrade;

pub use address::Address;
pub use config::Config;
pub use listener::Listener;
pub use origin::{NoOrigin, Origin};
pub use transport::WebSocket;

/// The name of this transport in metrics, configuration and [`Caller`](crate::Caller).
pub const NAME: &str = "websocket";

/// The subprotocol that caller and node agree on: what the binary messages carry.
pub const SUBPROTOCOL: &str = "polywire.mux.1";
