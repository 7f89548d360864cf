//! Calls over Iroh: peer-to-peer QUIC, dialled by key.
//!
//! ```no_run
//! # #[derive(Clone, PartialEq, prost::Message, serde::Serialize, serde::Deserialize)] pub struct Empty {}
//! # #[polywire::service(package = "demo.v1")]
//! # pub trait Demo { async fn get(&self, request: Empty) -> Result<Empty, polywire::Status>; }
//! # async fn show(endpoint: iroh::Endpoint, address: iroh::EndpointAddr) -> Result<(), polywire::Status> {
//! use polywire::iroh::Peer;
//!
//! let client = DemoClient::new(Peer::new(endpoint, address));
//! client.get(Empty {}).await?;
//! # Ok(()) }
//! ```

mod alive;
mod alpn;
mod bound;
mod connection;
mod dial;
mod dialer;
mod handler;
mod incoming;
mod known;
mod metrics;
mod profile;
mod serve;
mod target;
mod transport;

pub use alpn::{ALPN, Alpns};
pub use bound::Listening;
pub use dialer::{Dialer, Peer};
pub use handler::Handler;
pub use profile::QuicProfile;
pub use serve::{ServeOptions, serve};
pub use target::Address;
pub use transport::Iroh;

/// The name of this transport in metrics, configuration and [`Caller`](crate::Caller).
pub const NAME: &str = "iroh";
