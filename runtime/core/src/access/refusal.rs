//! What a caller is told that may not make a call: what would be needed, and nothing of the rules.

use crate::{AccessClass, Context, Status, Truncated};

/// `Unauthenticated` if the caller has proved no identity, `PermissionDenied` if those that it has proved do not suffice.
pub(super) fn of(cx: &Context, class: AccessClass) -> Status {
    let path = cx.path();
    let method = Truncated(path.strip_prefix('/').unwrap_or(path));
    let needed = match class {
        AccessClass::Member => {
            "the key of a member of this node's cluster, proved by the connection or by a signed proof"
        }
        _ => {
            "a node key, a client certificate, a Unix user id or a token that is allowed to call it; \
             the node's [access] rules allow it"
        }
    };
    let identities: Vec<_> =
        cx.caller().iter().flat_map(|caller| caller.identities().chain(&caller.forwarded)).collect();
    let Some(identity) = identities.first() else {
        return Status::unauthenticated(format!(
            "access denied to {class} method {method}: the caller has proved no identity; expected {needed}"
        ))
        .not_processed();
    };
    let (identity, others) = (identity.to_string(), &identities[1..]);
    let others: String =
        others.iter().map(|other| format!(" and {:?}", Truncated(&other.to_string()))).collect();
    Status::permission_denied(format!(
        "access denied to {class} method {method} for {:?}{others}; expected {needed}",
        Truncated(&identity)
    ))
    .not_processed()
}
