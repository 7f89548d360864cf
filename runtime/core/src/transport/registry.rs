use std::sync::{Arc, LazyLock};

use super::{Transport, erased::DynTransport};

use crate::sync::RwLock;

type Known = Arc<dyn DynTransport>;

/// Every transport whose targets this process can call.
static REGISTRY: LazyLock<RwLock<Vec<Known>>> = LazyLock::new(|| RwLock::new(built_in()));

/// Those of this build.
fn built_in() -> Vec<Known> {
    vec![
        #[cfg(feature = "grpc")]
        Arc::new(super::grpc::Grpc),
        #[cfg(feature = "iroh")]
        Arc::new(super::iroh::Iroh),
        #[cfg(feature = "quic")]
        Arc::new(super::quic::Quic::default()),
        #[cfg(feature = "memory")]
        Arc::new(super::memory::Memory),
        #[cfg(feature = "unix")]
        Arc::new(super::unix::Unix),
        #[cfg(feature = "websocket")]
        Arc::new(super::websocket::WebSocket),
    ]
}

/// Makes a transport known to this process: targets of its schemes can be called. To be done before a target is read.
/// Repeating it changes nothing. A node has to know its section of the configuration as well: the function of the same
/// name in the crate `polywire` does both, and so does `#[polywire::main(transports = [Pigeon])]`.
///
/// # Errors
/// When its name or one of its schemes is taken by another transport, or the name is malformed.
pub fn register(transport: impl Transport) -> Result<(), RegisterError> {
    register_shared(Arc::new(transport))
}

/// As [`register`], for what keeps the transport itself, too.
pub fn register_shared<T: Transport>(transport: Arc<T>) -> Result<(), RegisterError> {
    let transport: Known = transport;
    let name = transport.dyn_name();
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
    if name.is_empty() || !name.bytes().all(plain) {
        return Err(RegisterError::Name(name));
    }
    // These are keys and sections beside those of the transports.
    if matches!(name, "mode" | "strategy") {
        return Err(RegisterError::NameTaken(name));
    }
    let mut known = REGISTRY.write();
    for other in known.iter() {
        let same_name = other.dyn_name() == name;
        if same_name && other.dyn_type() == transport.dyn_type() {
            return Ok(());
        }
        if same_name {
            return Err(RegisterError::NameTaken(name));
        }
        let schemes = transport.dyn_schemes();
        let taken = other.dyn_schemes().iter().find(|taken| schemes.iter().any(|own| own.name == taken.name));
        if let Some(scheme) = taken {
            return Err(RegisterError::SchemeTaken { scheme: scheme.name, by: other.dyn_name() });
        }
    }
    known.push(transport);
    Ok(())
}

/// Why a transport was not registered.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RegisterError {
    /// The name cannot be a section of the configuration.
    #[error("invalid transport name {0:?}; expected lower-case letters, digits and `_`")]
    Name(&'static str),
    /// Another type of transport has the name, or the configuration has it for something else.
    #[error("the transport name `{0}` is taken; expected a name that no other transport has")]
    NameTaken(&'static str),
    /// Targets of this scheme belong to another transport.
    #[error("the scheme `{scheme}` is taken by the transport `{by}`; expected one that no other has")]
    SchemeTaken {
        /// The scheme.
        scheme: &'static str,
        /// The name of the transport that has it.
        by: &'static str,
    },
    /// A node could not be told to serve over it.
    #[error("the section of the transport `{0}` has no key `enabled`; expected `pub enabled: bool = false`")]
    NotSwitchable(&'static str),
}

/// The transports, in the order in which they were registered.
pub(crate) fn all() -> Vec<Known> {
    REGISTRY.read().clone()
}
