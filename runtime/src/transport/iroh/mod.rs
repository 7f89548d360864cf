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
#[cfg(feature = "node")]
mod bound;
mod connection;
mod dial;
mod dialer;
mod handler;
mod incoming;
mod known;
#[cfg(feature = "node")]
mod metrics;
mod profile;
mod serve;
#[cfg(feature = "node")]
mod target;
#[cfg(feature = "node")]
mod transport;

pub use alpn::{ALPN, Alpns};
#[cfg(feature = "node")]
pub use bound::Listening;
pub use dialer::{Dialer, Peer};
pub use handler::Handler;
pub use profile::QuicProfile;
pub use serve::{ServeOptions, serve};
#[cfg(feature = "node")]
pub use target::Address;
#[cfg(feature = "node")]
pub use transport::Iroh;

/// The name of this transport in metrics, configuration and [`Caller`](crate::Caller).
pub const NAME: &str = "iroh";
