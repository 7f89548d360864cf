use crate::{Caller, Context, Identity, Status, Truncated};

use super::IdentityPattern;

/// What a handler demands of a caller's identity: an [`Identity`], an [`IdentityPattern`], or a function that tells whether
/// an identity will do.
pub trait Requirement {
    /// Whether this identity will do.
    fn is_met_by(&self, identity: &Identity) -> bool;

    /// Whether a caller will do that has proved no identity.
    fn is_met_by_anyone(&self) -> bool {
        false
    }
}

impl Requirement for Identity {
    fn is_met_by(&self, identity: &Identity) -> bool {
        self == identity
    }
}

impl Requirement for IdentityPattern {
    fn is_met_by(&self, identity: &Identity) -> bool {
        self.matches(identity)
    }

    fn is_met_by_anyone(&self) -> bool {
        *self == Self::Anyone
    }
}

impl<F: Fn(&Identity) -> bool> Requirement for F {
    fn is_met_by(&self, identity: &Identity) -> bool {
        self(identity)
    }
}

impl<R: Requirement> Requirement for [R] {
    fn is_met_by(&self, identity: &Identity) -> bool {
        self.iter().any(|requirement| requirement.is_met_by(identity))
    }

    fn is_met_by_anyone(&self) -> bool {
        self.iter().any(Requirement::is_met_by_anyone)
    }
}

impl Caller {
    /// The caller itself, if one of the identities that it has proved will do. That the caller is
    /// [local](Self::is_local) does not suffice: a handler that asks for an identity needs one.
    ///
    /// # Errors
    /// `Unauthenticated` if the caller has proved no identity, `PermissionDenied` if those that it has proved do not
    /// suffice.
    pub fn require<R: Requirement + ?Sized>(&self, requirement: &R) -> Result<&Self, Status> {
        if requirement.is_met_by_anyone() || self.identities().any(|identity| requirement.is_met_by(identity))
        {
            return Ok(self);
        }
        Err(match &self.identity {
            None => Status::unauthenticated(
                "the caller has proved no identity; this call needs one: a node key, a client certificate, a Unix user id \
                 or a token",
            ),
            Some(identity) => Status::permission_denied(format!(
                "{:?} may not make this call; expected another identity",
                Truncated(&identity.to_string())
            )),
        })
    }
}

impl Context {
    /// The caller, if one of the identities that it has proved will do. For a handler that decides by what is called for,
    /// such as the owner of a record; what a whole method needs is said by its class and the rules.
    ///
    /// ```
    /// use polywire::{Context, Identity, Status};
    ///
    /// fn owner(cx: &Context, owner: &Identity) -> Result<(), Status> {
    ///     cx.require(owner)?;
    ///     // Or by a function:
    ///     cx.require(&|identity: &Identity| matches!(identity, Identity::Key(_)))?;
    ///     Ok(())
    /// }
    /// assert!(owner(&Context::new(), &Identity::Uid(0)).is_err());
    /// ```
    ///
    /// # Errors
    /// As [`Caller::require`]; `Unauthenticated` for a call within the process, which has no caller.
    pub fn require<R: Requirement + ?Sized>(&self, requirement: &R) -> Result<&Caller, Status> {
        static IN_PROCESS: Caller = Caller::new("in-process").local();
        self.caller().unwrap_or(&IN_PROCESS).require(requirement)
    }
}
