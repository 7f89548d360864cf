//! What the node (`polywire-runner`) needs of this crate beside the public contract. No part of that contract.

pub use crate::{
    balance::leads_here,
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
    use crate::{Payload, Status, Streaming, messages};

    /// The only message of a stream, which has been read to its end when this returns.
    ///
    /// # Errors
    /// `Unimplemented` if there is none or more than one; the status of a stream that broke off.
    ///
    /// # Cancel safety
    /// Not safe: messages that were read are lost.
    pub async fn single(stream: &mut Streaming<Payload>) -> Result<Payload, Status> {
        messages::single(stream).await
    }
}

/// Files with secrets.
pub mod private_file {
    pub use crate::private_file::check;
}

/// The parts of a method's path.
pub mod method {
    pub use crate::method::{major_version, split};
}

/// Panics that are caught, and how they are told of.
pub mod panic {
    pub use crate::panic::{Caught, caught, install_hook, is_guarded};
}

/// Whether the call came through the inbound edge of a transport, which has counted it and asked for access.
pub fn is_admitted(cx: &crate::Context) -> bool {
    cx.is_authorized
}
