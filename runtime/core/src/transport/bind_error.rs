use std::{error::Error, fmt, io};

/// Why a transport could not be bound.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BindError {
    /// An address cannot be listened on.
    #[error("cannot listen on {address} (configuration key {key})")]
    Listen {
        /// The configuration key that the address comes from.
        key: String,
        /// The address, as it was written.
        address: String,
        /// What the operating system says.
        source: io::Error,
    },
    /// Something else that a key names cannot be used.
    #[error("{key} cannot be used: {problem}")]
    Setting {
        /// The configuration key.
        key: String,
        /// What is wrong, and what was expected.
        problem: String,
    },
    /// Anything else.
    #[error(transparent)]
    Other(#[from] Box<dyn Error + Send + Sync>),
}

impl BindError {
    /// The address of this key cannot be listened on.
    pub fn listen(key: impl Into<String>, address: impl fmt::Display, source: io::Error) -> Self {
        Self::Listen { key: key.into(), address: address.to_string(), source }
    }

    /// What this key names cannot be used.
    pub fn setting(key: impl Into<String>, problem: impl fmt::Display) -> Self {
        Self::Setting { key: key.into(), problem: problem.to_string() }
    }
}
