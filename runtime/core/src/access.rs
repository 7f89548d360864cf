//! Access to methods: their classes, the rules, and what proves an identity.
//!
//! A listener asks its [`Authorize`] once a call, before the message is decoded. [`AccessControl`] is the one that decides
//! by rules: the node makes it of its configuration, and a program without a node adds it to a service as a layer.

mod compiled;
mod control;
mod credential;
mod identity_pattern;
pub(crate) mod lease;
mod method_pattern;
pub(crate) mod on_behalf;
mod refusal;
mod require;
mod rules;

pub use control::AccessControl;
pub use credential::{Credential, Grant, Members};
pub use identity_pattern::{IdentityPattern, InvalidIdentityPattern};
pub use lease::Lease;
pub use method_pattern::{InvalidMethodPattern, MethodPattern};
pub use require::Requirement;
pub use rules::AccessRules;

use crate::{Context, Status};

/// Decides whether a caller may make a call. The inbound edge of each transport asks it once a call, before the message
/// is decoded.
pub trait Authorize: Send + Sync + 'static {
    /// Allows the call, or refuses it. It may add to the context's caller an identity that the metadata prove.
    ///
    /// # Errors
    /// `Unauthenticated` if the caller has proved no identity and one is needed; `PermissionDenied` if its identity does
    /// not suffice. Both are not processed, and their text says what would be needed.
    fn authorize(&self, cx: &mut Context) -> Result<(), Status>;

    /// The same for a call with streams, which may be open for longer than what allows it holds. It returns what ends the
    /// call; `None` if nothing does, as it is here.
    ///
    /// # Errors
    /// As [`authorize`](Self::authorize).
    fn authorize_stream(&self, cx: &mut Context) -> Result<Option<Lease>, Status> {
        self.authorize(cx).map(|()| None)
    }
}
