//! Calls over plain QUIC ([RFC 9000](https://www.rfc-editor.org/rfc/rfc9000)): an address is dialled, and the
//! server is trusted for its certificate or for its key.
//!
//! | target | the server shows | it is trusted when |
//! |---|---|---|
//! | `quic://host:port` | a certificate, [`tls_cert`](Config::tls_cert) | an authority of [`ConnectOptions::ca_file`](crate::ConnectOptions::ca_file), or of the system, has signed it for the host |
//! | `quic://host:port?key=HEX` | the node's identity key, as a raw public key ([RFC 7250](https://www.rfc-editor.org/rfc/rfc7250)) | it is the key in the target |
//!
//! A server learns who calls: a caller that has an [`Identity`], or a
//! [`secret_key`](crate::ConnectOptions::secret_key), proves that its key is its own. With
//! [`client_ca`](Config::client_ca), so does one with a certificate of these authorities.

mod address;
mod config;
mod connection;
mod dial;
mod early;
mod endpoint;
mod identity;
mod listener;
mod profile;
mod restart;
mod transport;
mod trust;

pub use address::Address;
pub use config::Config;
pub use connection::Connection;
pub use early::EarlyData;
pub use identity::Identity;
pub use listener::Listener;
pub use profile::QuicProfile;
pub use transport::Quic;

pub use super::net::{PublicKey, PublicKeyError};

/// The name of this transport in metrics, configuration and [`Caller`](crate::Caller).
pub const NAME: &str = "quic";

/// The ALPN of connections that carry calls.
pub const ALPN: &[u8] = b"polywire/1";
