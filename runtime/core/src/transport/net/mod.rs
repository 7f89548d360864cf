//! TCP listeners that hold up under load, abuse and shutdown, for HTTP/2 (gRPC) and HTTP/1 (the node's HTTP
//! side).
//!
//! hyper speaks HTTP; what surrounds it is here: a bound on connections, one deadline from accept to the end
//! of the client's opening, an accept loop that backs off when descriptors run out, a watch on writes that no
//! longer move, and a shutdown in two phases.
//!
//! | client does | server answers |
//! |---|---|
//! | says nothing, or stalls in TLS or the preface | closed after [`ListenerOptions::handshake_timeout`] |
//! | vanishes without FIN (HTTP/2) | gone within keep-alive interval + timeout |
//! | stops reading | closed once a write has not moved for keep-alive interval + timeout |
//! | opens more streams than allowed | refused, the limit is advertised in SETTINGS |
//! | sends half a head, or idles (HTTP/1) | closed after [`ListenerOptions::header_read_timeout`] |
//!
//! ```no_run
//! use polywire::{Drain, net::{Listener, ListenerOptions}};
//! # async fn example<S, B>(service: S) -> std::io::Result<()>
//! # where
//! #     S: tower::Service<http::Request<hyper::body::Incoming>, Response = http::Response<B>,
//! #             Error = std::convert::Infallible> + Clone + Send + 'static,
//! #     S::Future: Send + 'static,
//! #     B: http_body::Body<Data = bytes::Bytes> + Send + 'static,
//! #     B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
//! # {
//! let listener = Listener::bind("127.0.0.1:0").await?;
//! println!("grpc://{}", listener.local_addr()?);
//! let drain = Drain::new();
//! let serving = tokio::spawn(listener.serve_http2(ListenerOptions::default(), service, drain.clone()));
//!
//! drain.stop(); // no new connections or streams, those in flight go on
//! if tokio::time::timeout(std::time::Duration::from_secs(8), serving).await.is_err() {
//!     drain.cut();
//! }
//! # Ok(())
//! # }
//! ```

#[cfg(feature = "http")]
mod accept;
#[cfg(feature = "tls")]
mod authorities;
#[cfg(feature = "tls")]
#[cfg_attr(
    not(any(feature = "grpc", feature = "quic", feature = "websocket-tls")),
    expect(dead_code, reason = "no transport has a TLS listener")
)]
mod callers;
#[cfg(feature = "tls")]
mod certificates;
#[cfg(feature = "http")]
mod connection;
#[cfg(any(feature = "http2", feature = "unix", feature = "websocket"))]
mod delegate;
#[cfg(feature = "tls")]
mod der;
#[cfg(feature = "tcp")]
mod dial;
#[cfg(feature = "http")]
mod establish;
#[cfg(feature = "http")]
mod finish;
#[cfg(any(feature = "grpc", feature = "websocket"))]
mod first_byte;
#[cfg(all(feature = "grpc", feature = "unix"))]
mod header_fields;
#[cfg(feature = "http1")]
mod http1;
#[cfg(feature = "http2")]
mod http2;
#[cfg(feature = "http")]
mod listener;
#[cfg(any(feature = "grpc", feature = "quic", feature = "websocket-tls"))]
mod listener_tls;
#[cfg(feature = "tls")]
mod live_certificate;
#[cfg(any(feature = "grpc", feature = "quic", feature = "websocket-tls"))]
mod node_key;
#[cfg(feature = "http2")]
mod opening;
#[cfg(feature = "http")]
mod options;
#[cfg(feature = "tls")]
mod peer_identity;
#[cfg(feature = "http")]
mod protocol;
mod public_key;
#[cfg(any(feature = "grpc", feature = "quic", feature = "websocket-tls"))]
#[cfg_attr(not(feature = "quic"), expect(dead_code, reason = "only QUIC servers show raw keys"))]
mod raw_keys;
mod reachable;
#[cfg(any(feature = "http2", feature = "unix"))]
mod rewind;
#[cfg(feature = "http")]
mod serve;
#[cfg(any(feature = "grpc", feature = "quic", feature = "websocket-tls"))]
mod server_trust;
#[cfg(feature = "http")]
mod service;
#[cfg(all(feature = "grpc", feature = "unix"))]
mod socket_authority;
#[cfg(feature = "http")]
mod stall;
#[cfg(feature = "http2")]
mod streams;
#[cfg(feature = "tls")]
mod tls;
#[cfg(feature = "tls")]
mod x509;

#[cfg(test)]
#[cfg(all(feature = "http1", feature = "http2"))]
mod tests;

#[cfg(feature = "tls")]
pub(crate) use authorities::Authorities;
#[cfg(any(feature = "grpc", feature = "quic", feature = "websocket-tls"))]
pub(crate) use authorities::distrusted;
#[cfg(any(feature = "grpc", feature = "websocket-tls"))]
pub(crate) use authorities::mispinned;
#[cfg(any(feature = "grpc", feature = "quic", feature = "websocket-tls"))]
pub(crate) use callers::Callers;
#[cfg(any(feature = "quic", feature = "websocket-tls"))]
pub(crate) use callers::refused;
#[doc(hidden)]
#[cfg(feature = "tls")]
pub use certificates::{Certificates, Listed};
#[cfg(feature = "http")]
pub use connection::{ConnectionInfo, TlsInfo};
#[cfg(any(feature = "http2", feature = "unix", feature = "websocket"))]
pub(crate) use delegate::write_through;
#[cfg(feature = "grpc")]
pub(crate) use dial::connect_host;
#[cfg(feature = "quic")]
pub(crate) use dial::race;
#[cfg(feature = "quic")]
pub(crate) use dial::resolve_for;
#[cfg(feature = "tcp")]
pub use dial::{connect, connect_to, is_elsewhere};
#[cfg(any(feature = "grpc", feature = "websocket"))]
pub(crate) use first_byte::FirstByte;
#[cfg(feature = "grpc")]
pub(crate) use first_byte::Heard;
#[cfg(all(feature = "grpc", feature = "unix"))]
pub(crate) use http2::Http2;
#[cfg(feature = "http")]
pub use listener::Listener;
#[cfg(any(feature = "grpc", feature = "websocket-tls"))]
pub(crate) use listener_tls::ListenerTls;
#[cfg(any(feature = "grpc", feature = "quic", feature = "websocket-tls"))]
pub(crate) use listener_tls::{TlsSettings, listener_tls};
#[doc(hidden)]
#[cfg(feature = "tls")]
pub use live_certificate::LiveCertificate;
#[cfg(feature = "http")]
pub use options::ListenerOptions;
#[cfg(feature = "grpc")]
pub(crate) use peer_identity::with_identity_of;
pub use public_key::{PublicKey, PublicKeyError};
#[cfg(feature = "quic")]
pub(crate) use raw_keys::{public_key, raw_identity, raw_key_tls};
pub use reachable::reachable;
#[cfg(feature = "unix")]
pub(crate) use rewind::Rewound;
#[cfg(any(feature = "grpc", feature = "quic", feature = "websocket-tls"))]
pub(crate) use server_trust::ServerTrust;
#[cfg(feature = "http")]
pub use service::HttpService;
#[cfg(feature = "tls")]
pub use tls::{Alpn, TlsError, TlsFiles};
