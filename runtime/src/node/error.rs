use std::{io, net::SocketAddr, path::PathBuf};

use crate::{config::ConfigError, net::TlsError};

/// Why a node could not start, or did not go on.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NodeError {
    /// The configuration contradicts itself, or has values out of range.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The schemas that were added do not fit together, or are no descriptor set.
    #[error("a file descriptor set that was added to the node cannot be used: {0}")]
    Descriptors(String),
    /// The data directory, or a file in it, cannot be used.
    #[error("{}: {problem}", path.display())]
    Data {
        /// The file or directory.
        path: PathBuf,
        /// What is wrong with it, and what was expected.
        problem: String,
    },
    /// An address cannot be listened on.
    #[error("cannot listen on {address} (configuration key {key})")]
    Bind {
        /// The configuration key that the address comes from.
        key: &'static str,
        /// The address.
        address: SocketAddr,
        /// What the operating system says.
        source: io::Error,
    },
    /// The certificate or the key for gRPC cannot be used.
    #[error("transport.grpc.tls_cert and tls_key cannot be used")]
    Tls(#[from] TlsError),
    /// TLS is asked for without a certificate and its key.
    #[error("transport.grpc.tls_enabled is true; expected transport.grpc.tls_cert and tls_key beside it")]
    NoCertificate,
    /// The Iroh endpoint cannot be made.
    #[error("the Iroh endpoint on {address} cannot be made (configuration section transport.iroh): {reason}")]
    Endpoint {
        /// The UDP address it was to be bound to.
        address: SocketAddr,
        /// What iroh says.
        reason: String,
    },
    /// The configuration asks for a transport that is not built in.
    #[error("transport.mode asks for {0}, and this binary was built without its feature")]
    NotBuiltIn(&'static str),
    /// Nothing listens.
    #[error("no transport is on: transport.mode and transport.iroh.enabled leave none")]
    NoTransport,
    /// A transport stopped serving without having been told to.
    #[error("the transport {transport} {how} while the node was serving")]
    TransportEnded {
        /// Its name.
        transport: &'static str,
        /// How it ended, for people.
        how: &'static str,
    },
}
