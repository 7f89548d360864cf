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

mod alpn;
mod connection;
mod dial;
mod dialer;
mod handler;
mod link;
mod profile;
mod scope;
mod serve;

pub use alpn::{ALPN, Alpns};
pub use dialer::{Dialer, Peer};
pub use handler::Handler;
pub use profile::QuicProfile;
pub use serve::{ServeOptions, serve};

/// The name of this transport in metrics, configuration and [`Caller`](crate::Caller).
pub const NAME: &str = "iroh";
