//! What the node (`polywire-runner`) needs of this crate beside the public contract. No part of that contract.

pub use crate::{
    context::Path,
    message_type::{MessageType, Recode},
    payload::{EncodeObserver, Typed},
    transport::{Descriptors, Meter, Ports, register_shared},
    truncated::reason,
    watched::Watched,
};

#[cfg(feature = "suggestions")]
pub use crate::nearest::{distance, nearest};

/// The messages of the directory.
pub mod directory {
    pub use crate::balance::directory::*;
}

/// Deadlines of futures and streams.
pub mod deadline {
    pub use crate::deadline::{bound, bound_stream, exceeded, is_reached};
}

/// The messages of a call.
pub mod body {
    pub use crate::body::single;
}

/// The parts of a method's path.
pub mod method {
    pub use crate::method::{major_version, split};
}

/// Panics that are caught, and how they are told of.
pub mod panic {
    pub use crate::panic::{Caught, caught, install_hook, is_guarded};
}
