mod streams;

use std::sync::Arc;

use super::*;
use crate::{
    Code, Method,
    access::{IdentityPattern, MethodPattern},
};

static PUBLIC: Method = Method::unary("/a.v1.A/Check").access(AccessClass::Public);
static MEMBER: Method = Method::unary("/a.v1.A/Append").access(AccessClass::Member);
static OPERATOR: Method = Method::unary("/a.v1.A/Remove").access(AccessClass::Operator);
static APPLICATION: Method = Method::unary("/a.v1.A/Get");

const KEY: Identity = Identity::Key([7; 32]);

fn stranger() -> Caller {
    Caller::new("grpc").at("192.0.2.1:1".parse().unwrap())
}

fn proved(identity: Identity) -> Caller {
    stranger().with_identity(identity)
}

fn call(method: &'static Method, caller: Caller) -> Context {
    let mut cx = unknown(method.path(), caller);
    cx.method = Some(method);
    cx
}

fn unknown(path: &'static str, caller: Caller) -> Context {
    Context::incoming(path, Arc::new(caller)).unwrap()
}

fn allow(who: &str, what: &str) -> AccessControl {
    AccessControl::new(AccessRules::new().allow([who.parse().unwrap()], [what.parse().unwrap()]))
}

/// The code of the decision, `Ok` for an allowed call. Every refusal is not processed.
fn decide(access: &AccessControl, mut cx: Context) -> Code {
    match access.authorize(&mut cx) {
        Ok(()) => Code::Ok,
        Err(refusal) => {
            assert!(refusal.is_not_processed(), "{refusal}");
            refusal.code()
        }
    }
}

/// The decisions about the public, the member, the operator and the application method.
fn decisions(access: &AccessControl, caller: &Caller) -> [Code; 4] {
    [&PUBLIC, &MEMBER, &OPERATOR, &APPLICATION].map(|method| decide(access, call(method, caller.clone())))
}

#[test]
fn without_rules_a_stranger_may_call_public_methods_alone_and_a_local_caller_all() {
    use Code::{Ok, PermissionDenied as Denied, Unauthenticated as Unproved};
    let access = AccessControl::new(AccessRules::new());
    assert_eq!(decisions(&access, &stranger()), [Ok, Unproved, Unproved, Unproved]);
    assert_eq!(decisions(&access, &proved(KEY)), [Ok, Denied, Denied, Denied]);
    assert_eq!(decisions(&access, &Caller::new("unix").local()), [Ok; 4]);
    let mut in_process = Context::new();
    assert!(access.authorize(&mut in_process).is_ok());
}

#[test]
fn local_callers_can_be_distrusted_and_all_trusted() {
    use Code::{Ok, Unauthenticated as Unproved};
    let local = Caller::new("grpc").local();
    let access = AccessControl::new(AccessRules::new().trust_local(false));
    assert_eq!(decisions(&access, &local), [Ok, Unproved, Unproved, Unproved]);
    access.replace_rules(AccessRules::insecure());
    assert_eq!(decisions(&access, &stranger()), [Ok; 4]);
}

#[test]
fn a_rule_allows_its_identity_its_methods() {
    use Code::{Ok, PermissionDenied as Denied};
    let uid = || proved(Identity::Uid(1000));
    assert_eq!(decisions(&allow("uid:1000", "operator"), &uid()), [Ok, Denied, Ok, Denied]);
    assert_eq!(decisions(&allow("uid:1000", "application"), &uid()), [Ok, Denied, Denied, Ok]);
    assert_eq!(decisions(&allow("uid:1000", "member"), &uid()), [Ok, Ok, Denied, Denied]);
    assert_eq!(decisions(&allow("uid:1000", "a.v1.A/*"), &uid()), [Ok; 4]);
    assert_eq!(decisions(&allow("uid:1000", "a.v1.A/Get"), &uid()), [Ok, Denied, Denied, Ok]);
    assert_eq!(decisions(&allow("uid:1000", "a.v1.B/*"), &uid()), [Ok, Denied, Denied, Denied]);
    assert_eq!(decisions(&allow("uid:1001", "a.v1.A/*"), &uid()), [Ok, Denied, Denied, Denied]);
    assert_eq!(decisions(&allow("anyone", "application"), &stranger())[3], Ok);
}

#[test]
fn rules_add_up_for_an_identity() {
    let spiffe = |id: &str| proved(Identity::Spiffe(id.to_owned()));
    let access = AccessControl::new(
        AccessRules::new()
            .allow(["spiffe://e.org/ns/*".parse().unwrap()], ["a.v1.A/Get".parse().unwrap()])
            .allow(["spiffe://e.org/ns/*".parse().unwrap()], ["a.v1.A/Append".parse().unwrap()])
            .allow(["spiffe://e.org/ns/a".parse().unwrap()], ["operator".parse().unwrap()]),
    );
    use Code::{Ok, PermissionDenied as Denied};
    assert_eq!(decisions(&access, &spiffe("spiffe://e.org/ns/a")), [Ok; 4]);
    assert_eq!(decisions(&access, &spiffe("spiffe://e.org/ns/b")), [Ok, Ok, Denied, Ok]);
    assert_eq!(decisions(&access, &spiffe("spiffe://e.org/b")), [Ok, Denied, Denied, Denied]);
}

struct Only([u8; 32]);

impl Members for Only {
    fn is_member(&self, key: &[u8; 32]) -> bool {
        *key == self.0
    }
}

#[test]
fn a_member_may_call_methods_for_members_and_no_other_ones() {
    use Code::{Ok, PermissionDenied as Denied};
    let access = AccessControl::new(AccessRules::new());
    access.set_members(Arc::new(Only([7; 32])));
    assert_eq!(decisions(&access, &proved(KEY)), [Ok, Ok, Denied, Denied]);
    assert_eq!(decisions(&access, &proved(Identity::Key([8; 32]))), [Ok, Denied, Denied, Denied]);
    access.set_members(Arc::new(Only([8; 32])));
    assert_eq!(decisions(&access, &proved(KEY)), [Ok, Denied, Denied, Denied]);
}

#[test]
fn an_unknown_method_is_decided_about_as_an_application_method() {
    let access = allow("uid:1", "operator");
    for caller in [stranger(), proved(Identity::Uid(1))] {
        let texts = ["/a.v1.A/Get", "/a.v1.A/Nil"].map(|path| {
            let mut cx = unknown(path, caller.clone());
            cx.method = Some(&APPLICATION).filter(|method| method.path() == path);
            access.authorize(&mut cx).unwrap_err().to_string().replace(path, "")
        });
        assert_eq!(texts[0].replace("a.v1.A/Get", ""), texts[1].replace("a.v1.A/Nil", ""));
    }
    assert_eq!(decide(&access, unknown("/a.v1.A/Nil", Caller::new("grpc").local())), Code::Ok);
    assert_eq!(decide(&allow("anyone", "a.v1.A/*"), unknown("/a.v1.A/Nil", stranger())), Code::Ok);
}

#[test]
fn a_refusal_says_the_method_the_class_and_what_is_needed() {
    let access = allow("uid:4242", "operator");
    let text = |method, caller| access.authorize(&mut call(method, caller)).unwrap_err().message().to_owned();
    let unproved = text(&OPERATOR, stranger());
    assert!(
        unproved.starts_with(
            "access denied to operator method a.v1.A/Remove: the caller has proved no identity; expected a node key, a client \
             certificate"
        ),
        "{unproved}"
    );
    let denied = text(&MEMBER, proved(Identity::Uid(1)));
    assert!(
        denied.starts_with(
            "access denied to member method a.v1.A/Append for \"uid:1\"; expected the key of a member"
        ),
        "{denied}"
    );
    assert!(!denied.contains("4242"), "{denied}");
}

/// Proves what the metadata `proof` say, with the methods of `methods`; `bad` is refused.
struct Proof {
    key: &'static str,
    methods: Option<&'static str>,
}

impl Credential for Proof {
    fn verify(&self, cx: &Context) -> Option<Result<Grant, Status>> {
        let proof = cx.metadata().get(self.key)?;
        if proof == "bad" {
            return Some(Err(Status::unauthenticated("bad proof").not_processed()));
        }
        let methods = self.methods.map(|methods| Arc::from([methods.parse::<MethodPattern>().unwrap()]));
        let identity: Identity = proof.parse().unwrap();
        Some(Ok(match methods {
            Some(methods) => Grant::of(identity, methods),
            None => Grant::by_rules(identity),
        }))
    }
}

fn with(access: AccessControl, key: &'static str, methods: Option<&'static str>) -> AccessControl {
    access.add_credential(Arc::new(Proof { key, methods }));
    access
}

fn presenting(method: &'static Method, caller: Caller, proofs: &[(&str, &str)]) -> Context {
    let mut cx = call(method, caller);
    proofs.iter().for_each(|(key, value)| cx.metadata_mut().append(key, *value).unwrap());
    cx
}

#[test]
fn a_credential_proves_an_identity_to_which_the_rules_apply() {
    let access = with(allow("token:ci", "operator"), "token", None);
    let mut cx = presenting(&OPERATOR, stranger(), &[("token", "token:ci")]);
    access.authorize(&mut cx).unwrap();
    let caller = cx.caller().unwrap();
    assert_eq!(caller.identity, Some(Identity::Token("ci".to_owned())));
    assert_eq!(caller.address, stranger().address);
    let code = decide(&access, presenting(&APPLICATION, stranger(), &[("token", "token:ci")]));
    assert_eq!(code, Code::PermissionDenied);
}

#[test]
fn a_credential_with_methods_allows_those_alone() {
    let access = with(allow("token:ci", "operator"), "token", Some("a.v1.A/Get"));
    let decide = |method| decide(&access, presenting(method, stranger(), &[("token", "token:ci")]));
    assert_eq!(decide(&APPLICATION), Code::Ok);
    assert_eq!(decide(&OPERATOR), Code::PermissionDenied);
}

#[test]
fn a_bad_credential_is_refused_where_one_is_needed_and_where_the_caller_is_local() {
    let access = with(AccessControl::new(AccessRules::new()), "token", None);
    let bad = |method, caller| presenting(method, caller, &[("token", "bad")]);
    assert_eq!(decide(&access, bad(&APPLICATION, stranger())), Code::Unauthenticated);
    assert_eq!(decide(&access, bad(&APPLICATION, stranger().local())), Code::Unauthenticated);
    assert_eq!(decide(&access, bad(&PUBLIC, stranger())), Code::Ok);
    access.replace_rules(AccessRules::insecure());
    assert_eq!(decide(&access, bad(&OPERATOR, stranger())), Code::Ok);
}

#[test]
fn a_connections_identity_stays_beside_those_of_credentials() {
    let access = with(AccessControl::new(AccessRules::new()), "proof", None);
    let access = with(access, "token", Some("operator"));
    access.set_members(Arc::new(Only([7; 32])));
    let proofs: &[_] = &[("token", "token:ci"), ("proof", &KEY.to_string())];
    let mut cx = presenting(&OPERATOR, proved(Identity::Uid(1)), proofs);
    access.authorize(&mut cx).unwrap();
    let caller = cx.caller().unwrap();
    assert_eq!(caller.identity, Some(Identity::Uid(1)));
    assert_eq!(caller.credentials, [KEY, Identity::Token("ci".to_owned())]);
    assert_eq!(caller.identities().count(), 3);
    assert_eq!(decide(&access, presenting(&MEMBER, stranger(), proofs)), Code::Ok);
    assert_eq!(cx.require(&KEY).unwrap().transport, "grpc");
    assert_eq!(cx.require(&Identity::Uid(2)).unwrap_err().code(), Code::PermissionDenied);
    assert_eq!(Context::new().require(&KEY).unwrap_err().code(), Code::Unauthenticated);
    assert!(Context::new().require(&IdentityPattern::Anyone).is_ok());
}

/// A call that a gateway with this caller passes on for this one.
fn passed_on(method: &'static Method, gateway: &Caller, told: &Caller) -> Context {
    let mut cx = call(method, gateway.clone());
    on_behalf::tell(cx.metadata_mut(), Some(told)).unwrap();
    cx
}

#[test]
fn a_gateways_word_takes_rights_away_and_adds_none() {
    use Code::{Ok, PermissionDenied as Denied, Unauthenticated as Unproved};
    let methods = [&PUBLIC, &MEMBER, &OPERATOR, &APPLICATION];
    let decisions = |access: &AccessControl, gateway: &Caller, told: &Caller| {
        methods.map(|method| decide(access, passed_on(method, gateway, told)))
    };
    let (local, key) = (Caller::new("grpc").local(), proved(KEY));
    let access = allow(&KEY.to_string(), "operator");
    access.set_members(Arc::new(Only([7; 32])));
    // The rules know the caller that the gateway names, and a member must prove its key.
    assert_eq!(decisions(&access, &local, &key), [Ok, Denied, Ok, Denied]);
    assert_eq!(decisions(&access, &local, &stranger()), [Ok, Unproved, Unproved, Unproved]);
    // A gateway that may do nothing gains nothing by a name.
    access.replace_rules(access.rules().as_ref().clone().trust_local(false));
    assert_eq!(decisions(&access, &local, &key), [Ok, Unproved, Unproved, Unproved]);
    let uid = Identity::Uid(1000);
    let gateway = local.with_identity(uid.clone());
    let rules = access.rules().as_ref().clone().allow([uid.into()], ["operator".parse().unwrap()]);
    access.replace_rules(rules);
    assert_eq!(decisions(&access, &gateway, &key), [Ok, Denied, Ok, Denied]);
    // Nor does a caller with its rights.
    assert_eq!(decisions(&access, &gateway, &stranger()), [Ok, Denied, Unproved, Denied]);
    assert_eq!(decisions(&access, &key, &stranger())[2], Ok, "a word from elsewhere is not looked at");
}

#[test]
fn a_caller_that_a_gateway_names_has_proved_nothing() {
    let access = allow(&KEY.to_string(), "operator");
    let mut cx =
        passed_on(&OPERATOR, &Caller::new("unix").local().with_identity(Identity::Uid(0)), &proved(KEY));
    access.authorize(&mut cx).unwrap();
    let caller = cx.caller().unwrap();
    assert_eq!((caller.is_local, &caller.identity, &*caller.forwarded), (false, &None, &[KEY][..]));
    assert_eq!(cx.require(&KEY).unwrap_err().code(), Code::Unauthenticated);
    // A layer that asks once more decides alike.
    assert!(access.authorize(&mut cx).is_ok());
}
