//! The caller that a gateway calls for.
//!
//! To its target a gateway on the same machine is a local caller, and those that it calls for are not. So it says in the
//! metadata who they are, and the target takes that from local callers as their word: a call is allowed that both the gateway
//! and the caller it names may make, so that the word takes rights away and adds none. It is never taken for a proof. What a
//! caller elsewhere says is not looked at.

use crate::{Caller, Context, Identity, Metadata, Status};

/// Whether the gateway's caller was local: `local` or `remote`.
const CALLER: &str = "polywire-caller";

/// An identity that the gateway's caller has proved to it, an entry each.
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
    for identity in caller.identities().chain(&caller.forwarded) {
        metadata.append(IDENTITY, identity.to_string()).map_err(failed)?;
    }
    Ok(())
}

/// The caller that the call is for, if a local gateway passes it on; `None` for all other calls. A gateway that says nothing
/// of its caller calls for another machine.
pub(super) fn named(cx: &Context) -> Option<Caller> {
    let gateway = cx.caller().filter(|caller| caller.is_local && !cx.metadata.is_empty())?;
    let said = cx.metadata.get(CALLER);
    if said.is_none() && !crate::via::is_passed_on(&cx.metadata) {
        return None;
    }
    let is_local = cx.metadata.get_all(CALLER).all(|caller| caller == "local") && said.is_some();
    let forwarded: Vec<Identity> =
        cx.metadata.get_all(IDENTITY).filter_map(|identity| identity.parse().ok()).collect();
    // A local caller that proved nothing may do what the gateway may.
    if is_local && forwarded.is_empty() {
        return None;
    }
    let mut named = Caller::new(gateway.transport);
    (named.is_local, named.forwarded, named.address) = (is_local, forwarded, gateway.address.clone());
    Some(named)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    fn passed_on(told: Option<&Caller>, by: Caller, more: &[(&str, &str)]) -> Option<Caller> {
        let mut cx = Context::incoming("/a.A/Get", Arc::new(by)).unwrap();
        for (key, value) in more {
            cx.metadata_mut().append(key, *value).unwrap();
        }
        tell(cx.metadata_mut(), told).unwrap();
        named(&cx)
    }

    #[test]
    fn a_local_gateway_calls_for_its_caller() {
        let key = Identity::Key([7; 32]);
        let (remote, local) = (Caller::new("iroh"), Caller::new("grpc").local());
        let seen = passed_on(Some(&remote.clone().with_identity(key.clone())), local.clone(), &[]).unwrap();
        assert!(!seen.is_local);
        assert_eq!(seen.forwarded, std::slice::from_ref(&key));
        assert_eq!(seen.identities().count(), 0, "a word is no proof");
        assert!(seen.require(&key).is_err());
        assert_eq!(passed_on(Some(&local), local.clone(), &[]), None, "it may do what the gateway may");
        assert!(!passed_on(Some(&remote), local.clone(), &[(CALLER, "local")]).unwrap().is_local);
        assert_eq!(passed_on(None, local, &[]), None, "no gateway");
    }

    #[test]
    fn the_second_gateway_tells_what_the_first_one_did() {
        let key = Identity::Key([7; 32]);
        let local = Caller::new("grpc").local();
        let first = passed_on(Some(&Caller::new("iroh").with_identity(key.clone())), local.clone(), &[]);
        let second = passed_on(first.as_ref(), local, &[]).unwrap();
        assert_eq!(second.forwarded, [key]);
    }

    #[test]
    fn the_word_of_a_caller_elsewhere_is_not_looked_at() {
        let claimed = Caller::new("grpc").local().with_identity(Identity::Key([7; 32]));
        assert_eq!(passed_on(Some(&claimed), Caller::new("grpc"), &[]), None);
    }

    #[test]
    fn a_gateway_that_says_nothing_calls_for_another_machine() {
        let mut cx = Context::incoming("/a.A/Get", Arc::new(Caller::new("grpc").local())).unwrap();
        cx.metadata_mut().append("via", "1.1 proxy, polywire old").unwrap();
        assert!(!named(&cx).unwrap().is_local);
    }
}
