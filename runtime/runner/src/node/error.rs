use std::path::PathBuf;

use super::ComponentError;
use crate::config::ConfigError;
use polywire_core::transport::BindError;

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
    /// Something that was added to be served cannot be: it names no service, it does not know the methods of one that it
    /// names, or a service was added before.
    #[error("{added_by} cannot be served: {problem}")]
    Service {
        /// The Rust type that was added, or the component that brings it.
        added_by: String,
        /// What is wrong with it, and what was expected.
        problem: String,
    },
    /// A schema says something else of a service than the trait that is served.
    #[error("the schema of {service} is not that of its trait: {}", differences.join("; "))]
    Schema {
        /// The service, `package.Service`.
        service: &'static str,
        /// What differs, each with the name of the method.
        differences: Vec<String>,
    },
    /// The data directory, or a file in it, cannot be used.
    #[error("{}: {problem}", path.display())]
    Data {
        /// The file or directory.
        path: PathBuf,
        /// What is wrong with it, and what was expected.
        problem: String,
    },
    /// A transport cannot be bound.
    #[error("the transport {transport} cannot be bound")]
    Bind {
        /// Its name.
        transport: &'static str,
        /// What could not be bound, and which key it came from.
        source: BindError,
    },
    /// The HTTP side cannot be bound.
    #[error("the HTTP side cannot be bound")]
    Http(#[source] BindError),
    /// The configuration asks for a transport that is not built in.
    #[error("transport.mode asks for {0}, and this binary was built without its feature")]
    NotBuiltIn(&'static str),
    /// Nothing listens.
    #[error(
        "no transport is on: transport.mode and transport.iroh.enabled leave none, and no other is enabled"
    )]
    NoTransport,
    /// Calls cannot be passed on to the target that the node was given.
    #[error("calls cannot be passed on to {target}: {problem}")]
    Upstream {
        /// The target.
        target: String,
        /// What is wrong with it, and what was expected.
        problem: String,
    },
    /// A component cannot start.
    #[error("the node's {component} cannot start")]
    Component {
        /// Its name.
        component: &'static str,
        /// Why.
        source: ComponentError,
    },
    /// A transport stopped serving without having been told to.
    #[error("the transport {transport} {how} while the node was serving")]
    TransportEnded {
        /// Its name.
        transport: &'static str,
        /// How it ended, for people.
        how: &'static str,
    },
}
