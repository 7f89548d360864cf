use std::sync::{Arc, LazyLock, PoisonError, RwLock};

use super::{DynTransport, Transport};

type Known = Arc<dyn DynTransport>;

/// Every transport that targets and configurations of this process may name.
static REGISTRY: LazyLock<RwLock<Vec<Known>>> = LazyLock::new(|| RwLock::new(built_in()));

/// Those of this build.
fn built_in() -> Vec<Known> {
    vec![
        #[cfg(feature = "grpc")]
        Arc::new(crate::grpc::Grpc),
        #[cfg(feature = "iroh")]
        Arc::new(crate::iroh::Iroh),
        #[cfg(feature = "quic")]
        Arc::new(crate::quic::Quic::default()),
        #[cfg(feature = "memory")]
        Arc::new(crate::memory::Memory),
        #[cfg(feature = "unix")]
        Arc::new(crate::unix::Unix),
        #[cfg(feature = "websocket")]
        Arc::new(crate::websocket::WebSocket),
    ]
}

/// Makes a transport known to this process: targets of its schemes can be called, `[transport.NAME]` is read,
/// and nodes serve over it where that section is enabled. To be done before a target or a configuration is
/// read; `#[polywire::main(transports = [Pigeon])]` does it in time. Repeating it changes nothing.
///
/// # Errors
/// When its name or one of its schemes is taken by another transport, the name is malformed, or its section has
/// no key `enabled`.
pub fn register(transport: impl Transport) -> Result<(), RegisterError> {
    let transport: Known = Arc::new(transport);
    let name = transport.dyn_name();
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
    if name.is_empty() || !name.bytes().all(plain) {
        return Err(RegisterError::Name(name));
    }
    let mut outlines = Vec::new();
    transport.outline("", &mut outlines);
    let enabled = |outline: &crate::config::Outline| outline.path.is_empty() && outline.has("enabled");
    if !outlines.iter().any(enabled) {
        return Err(RegisterError::NotSwitchable(name));
    }
    let mut known = REGISTRY.write().unwrap_or_else(PoisonError::into_inner);
    // These are keys and sections beside those of the transports.
    if matches!(name, "mode" | "strategy") {
        return Err(RegisterError::NameTaken(name));
    }
    for other in known.iter() {
        let same_name = other.dyn_name() == name;
        if same_name && other.type_of() == transport.type_of() {
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
    #[error("{0:?} is no name of a transport; expected lower-case letters, digits and `_`")]
    Name(&'static str),
    /// Another type of transport has the name, or the configuration has it for something else.
    #[error("the name `{0}` is taken; expected a name that no other transport has")]
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
    REGISTRY.read().unwrap_or_else(PoisonError::into_inner).clone()
}

/// The transport of this name.
pub(crate) fn named(name: &str) -> Option<Known> {
    all().into_iter().find(|transport| transport.dyn_name() == name)
}
