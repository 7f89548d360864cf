use polywire_core::{Caller, Identity};

use super::{super::Narrowing, *};

fn key(seed: u8) -> SecretKey {
    SecretKey::from_bytes(&[seed; 32])
}

fn invitation() -> Invitation {
    Invitation {
        name: "ci".to_owned(),
        targets: Vec::new(),
        methods: vec!["a.v1.A/*".to_owned()],
        expires: SystemTime::now() + Duration::from_secs(3_600),
        uses: None,
        to: None,
    }
}

fn tokens(seed: u8) -> (Tokens, tempfile::TempDir) {
    let directory = tempfile::tempdir().unwrap();
    (Tokens::open(key(seed), directory.path()).unwrap(), directory)
}

fn call(path: &str, token: &str, caller: Caller) -> Context {
    let mut cx = Context::incoming(path.to_owned(), Arc::new(caller)).unwrap();
    let (key, value) = super::super::authorization(token);
    cx.metadata_mut().append(key, value).unwrap();
    cx
}

fn verify(tokens: &Tokens, token: &Token) -> Result<Grant, String> {
    let cx = call("/a.v1.A/Get", &token.to_string(), Caller::new("grpc"));
    tokens.verify(&cx).unwrap().map_err(|status| {
        assert_eq!(status.code(), Code::Unauthenticated);
        assert!(status.is_not_processed());
        status.message().to_owned()
    })
}

#[tokio::test]
async fn a_token_of_this_node_allows_its_methods_and_names_its_holder() {
    let (tokens, _directory) = tokens(1);
    let token = tokens.issue(invitation()).await.unwrap();
    for _ in 0..2 {
        let grant = verify(&tokens, &token).unwrap();
        assert_eq!(*grant.identity, Identity::Token("ci".to_owned()));
        assert_eq!(grant.methods.unwrap()[..], ["a.v1.A/*".parse().unwrap()]);
    }
    let none = Context::incoming("/a.v1.A/Get".to_owned(), Arc::new(Caller::new("grpc"))).unwrap();
    assert!(tokens.verify(&none).is_none());
    let record = &tokens.list().await.unwrap()[0];
    assert_eq!((record.id, &*record.name, record.revoked), (token.id(), "ci", false));
}

struct One([u8; 32]);

impl Members for One {
    fn is_member(&self, key: &[u8; 32]) -> bool {
        *key == self.0
    }
}

#[tokio::test]
async fn a_token_of_a_member_is_accepted_for_as_long_as_it_is_one() {
    let ((own, _a), (other, _b)) = (tokens(1), tokens(2));
    let token = other.issue(invitation()).await.unwrap();
    assert!(verify(&own, &token).unwrap_err().contains("unknown issuer"));
    own.set_members(Arc::new(One(token.issuer())));
    verify(&own, &token).unwrap();
    own.set_members(Arc::new(One([0; 32])));
    assert!(verify(&own, &token).unwrap_err().contains("unknown issuer"), "also if it was verified before");
}

#[tokio::test]
async fn a_node_that_forwards_calls_takes_no_notice_of_tokens_for_others() {
    let ((own, _a), (other, _b)) = (tokens(1), tokens(2));
    let (for_other, for_own) =
        (other.issue(invitation()).await.unwrap(), own.issue(invitation()).await.unwrap());
    own.pass_on_others();
    let cx = call("/a.v1.A/Get", &for_other.to_string(), Caller::new("grpc"));
    assert!(own.verify(&cx).is_none());
    assert!(own.count(&cx).await.is_ok());
    verify(&own, &for_own).unwrap();
    own.revoke(for_own.id()).await.unwrap();
    assert_eq!(verify(&own, &for_own).unwrap_err(), "revoked token");
}

#[tokio::test]
async fn a_revoked_token_and_what_it_was_narrowed_to_are_refused_at_once() {
    let (tokens, _directory) = tokens(1);
    let token = tokens.issue(invitation()).await.unwrap();
    let narrowed = token.narrow(Narrowing::default()).unwrap();
    let narrowest = narrowed.narrow(Narrowing::default()).unwrap();
    for token in [&token, &narrowed, &narrowest] {
        verify(&tokens, token).unwrap();
    }
    tokens.revoke(narrowed.ids().last().unwrap()).await.unwrap();
    verify(&tokens, &token).unwrap();
    assert_eq!(verify(&tokens, &narrowed).unwrap_err(), "revoked token");
    assert_eq!(verify(&tokens, &narrowest).unwrap_err(), "revoked token");
    tokens.revoke(token.id()).await.unwrap();
    assert_eq!(verify(&tokens, &token).unwrap_err(), "revoked token");
}

#[tokio::test]
async fn a_token_for_a_key_is_of_use_to_that_caller_alone() {
    let (tokens, _directory) = tokens(1);
    let token = tokens.issue(Invitation { to: Some([7; 32]), ..invitation() }).await.unwrap();
    let by = |caller| tokens.verify(&call("/a.v1.A/Get", &token.to_string(), caller)).unwrap();
    assert!(by(Caller::new("iroh").with_identity(Identity::Key([7; 32]))).is_ok());
    assert!(by(Caller::new("iroh").with_identity(Identity::Key([8; 32]))).is_err());
    assert!(by(Caller::new("grpc").local()).unwrap_err().message().contains("another caller"));
}

#[tokio::test]
async fn an_expired_token_is_refused_also_if_it_was_verified_before() {
    let (tokens, _directory) = tokens(1);
    let token = tokens.issue(invitation()).await.unwrap();
    let mut accepted = Accepted::verify(&token.to_string(), |_| true).unwrap();
    // As it is an hour later.
    accepted.expires = unix_seconds(SystemTime::now()) - 1;
    tokens.0.cache.insert(Arc::new(accepted), 0);
    assert!(verify(&tokens, &token).unwrap_err().starts_with("expired token"));
    let past = Invitation { expires: SystemTime::now() - Duration::from_secs(1), ..invitation() };
    assert!(tokens.issue(past).await.unwrap_err().message().contains("in the past"));
}

#[tokio::test]
async fn uses_run_out_for_a_token_and_for_what_it_was_narrowed_to() {
    let (tokens, directory) = tokens(1);
    let token = tokens.issue(Invitation { uses: Some(3), ..invitation() }).await.unwrap();
    let narrowed = token.narrow(Narrowing { uses: Some(1), ..Narrowing::default() }).unwrap();
    let count = async |tokens: &Tokens, token: &Token, path: &str| {
        let cx = call(path, &token.to_string(), Caller::new("grpc"));
        // A call is admitted before its token's uses are counted.
        tokens.verify(&cx).unwrap().unwrap();
        tokens.count(&cx).await
    };
    count(&tokens, &narrowed, "/a.v1.A/Get").await.unwrap();
    assert!(
        count(&tokens, &narrowed, "/a.v1.A/Get").await.unwrap_err().message().contains("good for 1 call")
    );
    count(&tokens, &token, "/a.v1.Other/Get").await.unwrap();
    count(&tokens, &token, "/a.v1.A/Get").await.unwrap();
    // After a restart.
    drop(tokens);
    let tokens = Tokens::open(key(1), directory.path()).unwrap();
    count(&tokens, &token, "/a.v1.A/List").await.unwrap();
    let refused = count(&tokens, &token, "/a.v1.A/Get").await.unwrap_err();
    assert!(refused.message().contains("good for 3 calls") && refused.is_not_processed());
    assert_eq!(tokens.list().await.unwrap().iter().map(|record| record.used).max(), Some(3));
}

#[tokio::test]
async fn a_rule_for_a_token_applies_to_it_as_it_was_issued() {
    let (tokens, _directory) = tokens(1);
    let token = tokens.issue(invitation()).await.unwrap();
    assert!(verify(&tokens, &token).unwrap().by_rules);
    // What its holder has made narrower stays so.
    let narrowed = token.narrow(Narrowing::default()).unwrap();
    assert!(!verify(&tokens, &narrowed).unwrap().by_rules);
    let counted = tokens.issue(Invitation { uses: Some(1), ..invitation() }).await.unwrap();
    assert!(!verify(&tokens, &counted).unwrap().by_rules);
}

#[tokio::test]
async fn a_caller_with_a_token_is_issued_a_narrower_one() {
    let (tokens, _directory) = tokens(1);
    let methods = vec!["a.v1.A/*".to_owned(), "polywire.access.v1.Access/*".to_owned()];
    let token = tokens.issue(Invitation { methods, ..invitation() }).await.unwrap();
    let cx = call("/polywire.access.v1.Access/Issue", &token.to_string(), Caller::new("grpc"));
    let unnamed = || Invitation { name: String::new(), ..invitation() };
    let issued = tokens.issue_to(&cx, Invitation { uses: Some(2), ..unnamed() }).await.unwrap();
    assert_eq!((issued.methods(), issued.limits().count()), (&["a.v1.A/*".to_owned()][..], 1));
    verify(&tokens, &issued).unwrap();
    for wider in [
        Invitation { methods: vec!["operator".to_owned()], ..unnamed() },
        Invitation { expires: SystemTime::now() + Duration::from_secs(7_200), ..unnamed() },
    ] {
        let refused = tokens.issue_to(&cx, wider).await.unwrap_err();
        assert_eq!(refused.code(), Code::PermissionDenied, "{refused}");
        assert!(refused.message().starts_with("a token cannot be widened"), "{refused}");
    }
    let named = tokens.issue_to(&cx, invitation()).await.unwrap_err();
    assert_eq!(named.code(), Code::InvalidArgument);
    // The holder of the node's key is issued what it wants, and no issued token is taken for its own.
    let methods = vec!["polywire.access.v1.Access/*".to_owned()];
    let owners = Token::of_owner(&key(1), methods, SystemTime::now() + Duration::from_secs(60)).unwrap();
    let by_owner = call("/polywire.access.v1.Access/Issue", &owners.to_string(), Caller::new("grpc"));
    tokens.issue_to(&by_owner, invitation()).await.unwrap();
    let reserved = Invitation { name: ".owner".to_owned(), ..invitation() };
    assert!(tokens.issue(reserved).await.unwrap_err().message().contains("not reserved"));
    // It ends with the token that it was made with.
    tokens.revoke(token.id()).await.unwrap();
    assert_eq!(verify(&tokens, &issued).unwrap_err(), "revoked token");
}

#[tokio::test]
async fn a_used_up_token_is_known_as_such() {
    let (tokens, _directory) = tokens(1);
    let token = tokens.issue(Invitation { uses: Some(1), ..invitation() }).await.unwrap();
    let cx = call("/a.v1.A/Get", &token.to_string(), Caller::new("grpc"));
    tokens.verify(&cx).unwrap().unwrap();
    assert!(!tokens.is_used_up(&cx));
    tokens.count(&cx).await.unwrap();
    assert!(tokens.is_used_up(&cx));
}
