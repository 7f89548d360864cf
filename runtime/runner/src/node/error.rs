use std::path::PathBuf;

use super::ComponentError;
use crate::config::ConfigError;
use polywire_core::transport::BindError;

/// The error of a node that cannot start or stopped by itself.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NodeError {
    /// The configuration has contradictions or values out of range.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// An added schema is malformed or contradicts another one.
    #[error("invalid file descriptor set: {0}")]
    Descriptors(String),
    /// An added value is invalid: it names no service, lacks a method of a service, or names a service that was already
    /// added.
    #[error("{added_by} cannot be served: {problem}")]
    Service {
        /// The Rust type of the added value, or the component that it belongs to.
        added_by: String,
        /// The problem and what was expected.
        problem: String,
    },
    /// A schema differs from the served trait.
    #[error("the schema of {service} differs from its trait: {}", differences.join("; "))]
    Schema {
        /// The service, `package.Service`.
        service: &'static str,
        /// The differences, each with the name of the method.
        differences: Vec<String>,
    },
    /// The data directory or a file in it is unusable.
    #[error("{}: {problem}", path.display())]
    Data {
        /// The file or directory.
        path: PathBuf,
        /// The problem and what was expected.
        problem: String,
    },
    /// A transport cannot be bound.
    #[error("the transport {transport} cannot be bound")]
    Bind {
        /// The name.
        transport: &'static str,
        /// The error and its configuration key.
        source: BindError,
    },
    /// The HTTP side cannot be bound.
    #[error("the HTTP side cannot be bound")]
    Http(#[source] BindError),
    /// The configuration enables a transport that this binary lacks.
    #[error("transport.mode enables {0}, but this binary was built without its feature")]
    NotBuiltIn(&'static str),
    /// No transport is enabled.
    #[error(
        "no transport is enabled; expected one in transport.mode, or transport.NAME.enabled = true for another"
    )]
    NoTransport,
    /// The upstream is unusable.
    #[error("calls cannot be forwarded to {target}: {problem}")]
    Upstream {
        /// The target.
        target: String,
        /// The problem and what was expected.
        problem: String,
    },
    /// A component cannot start.
    #[error("the node's {component} cannot start")]
    Component {
        /// The name.
        component: &'static str,
        /// The cause.
        source: ComponentError,
    },
    /// A component has failed for good while the node was serving.
    #[error("the node has failed: {problem}")]
    Failed {
        /// The problem, as a text for people.
        problem: String,
    },
    /// A transport stopped by itself.
    #[error("the transport {transport} {how} while the node was serving")]
    TransportEnded {
        /// The name.
        transport: &'static str,
        /// How it ended, as a text for people.
        how: &'static str,
    },
}
