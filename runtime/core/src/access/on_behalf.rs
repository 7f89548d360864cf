//! The caller that a gateway calls for.
//!
//! To its target a gateway on the same machine is a local caller, and those that it calls for are not. So it says in the
//! metadata who they are. The target believes that of local callers alone, which may call everything anyway: what they say
//! takes rights away, and adds none. What others say of their callers is no proof, and is not looked at.

use std::sync::Arc;

use crate::{Caller, Context, Identity, Metadata, Status};

/// Whether the gateway's caller was local: `local` or `remote`.
const CALLER: &str = "polywire-caller";

/// An identity that the gateway's caller has proved, an entry each.
const IDENTITY: &str = "polywire-caller-identity";

/// Says in the metadata of a call that is passed on who makes it. What the caller itself says of this is dropped.
///
/// # Errors
/// `Internal`, not processed, if an identity cannot be written as metadata.
pub(crate) fn tell(metadata: &mut Metadata, caller: Option<&Caller>) -> Result<(), Status> {
    metadata.remove(CALLER);
    metadata.remove(IDENTITY);
    // A call within the process is local.
    let Some(caller) = caller else { return Ok(()) };
    let failed = |error: crate::MetadataError| Status::internal(error.to_string()).not_processed();
    metadata.append(CALLER, if caller.is_local { "local" } else { "remote" }).map_err(failed)?;
    for identity in caller.identities() {
        metadata.append(IDENTITY, identity.to_string()).map_err(failed)?;
    }
    Ok(())
}

/// Takes the caller of a local gateway for the call's caller. A gateway that says nothing of it calls for another machine.
pub(super) fn believe(cx: &mut Context) {
    if cx.metadata.is_empty() || !cx.caller().is_some_and(|caller| caller.is_local) {
        return;
    }
    let said = cx.metadata.get(CALLER);
    if said.is_none() && !crate::via::is_passed_on(&cx.metadata) {
        return;
    }
    let is_local = cx.metadata.get_all(CALLER).all(|caller| caller == "local") && said.is_some();
    let identities: Vec<Identity> =
        cx.metadata.get_all(IDENTITY).filter_map(|identity| identity.parse().ok()).collect();
    // What a local caller that proved nothing may do, the gateway may do too.
    if is_local && identities.is_empty() {
        return;
    }
    if let Some(caller) = &cx.caller {
        let mut caller = Caller::clone(caller);
        (caller.is_local, caller.identity) = (is_local, None);
        caller.credentials.clear();
        cx.caller = Some(Arc::new(identities.into_iter().fold(caller, Caller::with_credential)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn believed(told: Option<&Caller>, by: Caller, more: &[(&str, &str)]) -> Caller {
        let mut cx = Context::incoming("/a.A/Get", Arc::new(by)).unwrap();
        for (key, value) in more {
            cx.metadata_mut().append(key, *value).unwrap();
        }
        tell(cx.metadata_mut(), told).unwrap();
        believe(&mut cx);
        cx.caller().unwrap().clone()
    }

    #[test]
    fn a_local_gateway_calls_for_its_caller() {
        let key = Identity::Key([7; 32]);
        let (remote, local) = (Caller::new("iroh"), Caller::new("grpc").local());
        let seen = believed(Some(&remote.clone().with_identity(key.clone())), local.clone(), &[]);
        assert!(!seen.is_local);
        assert_eq!(seen.identities().collect::<Vec<_>>(), [&key]);
        assert!(believed(Some(&local), local.clone(), &[]).is_local);
        assert!(!believed(Some(&remote), local.clone(), &[(CALLER, "local")]).is_local);
        assert!(believed(None, local, &[]).is_local, "no gateway");
    }

    #[test]
    fn a_remote_callers_word_is_no_proof() {
        let claimed = Caller::new("grpc").local().with_identity(Identity::Key([7; 32]));
        let seen = believed(Some(&claimed), Caller::new("grpc"), &[]);
        assert!(!seen.is_local);
        assert_eq!(seen.identities().count(), 0);
    }

    #[test]
    fn a_gateway_that_says_nothing_calls_for_another_machine() {
        let mut cx = Context::incoming("/a.A/Get", Arc::new(Caller::new("grpc").local())).unwrap();
        cx.metadata_mut().append("via", "1.1 proxy, polywire old").unwrap();
        believe(&mut cx);
        assert!(!cx.caller().unwrap().is_local);
    }
}
