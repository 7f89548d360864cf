use std::{fs, time::Duration};

use polywire_core::{Caller, Code};
use serde_json::{Value, json};

use super::*;

mod signer;

use self::signer::{Signer, bytes_of_public_key};

const ISSUER: &str = "https://idp.example.org";
const AUDIENCE: &str = "inventory";

fn now() -> u64 {
    unix_seconds(SystemTime::now())
}

/// Good claims, with those of `other` over them; `null` leaves one out.
fn claims(other: Value) -> Value {
    let mut claims = json!({ "iss": ISSUER, "aud": AUDIENCE, "sub": "ann", "exp": now() + 600 });
    for (name, value) in other.as_object().unwrap() {
        match value {
            Value::Null => claims.as_object_mut().unwrap().remove(name),
            value => claims.as_object_mut().unwrap().insert(name.clone(), value.clone()),
        };
    }
    claims
}

/// The tokens of one issuer with these keys.
fn knowing(keys: &[Value]) -> Jwts {
    let jwts = Jwts::new();
    jwts.set([issuer(&json!({ "keys": keys }).to_string())]);
    jwts
}

fn issuer(jwks: &str) -> Issuer {
    Issuer::new(ISSUER, [AUDIENCE], jwks, Duration::from_secs(60)).unwrap()
}

fn call(tokens: &[&str]) -> Context {
    let mut cx = Context::incoming("/a.v1.A/Get".to_owned(), Arc::new(Caller::new("grpc"))).unwrap();
    for token in tokens {
        cx.metadata_mut().append("authorization", format!("Bearer {token}")).unwrap();
    }
    cx
}

/// The text of the identity, or that of the refusal.
fn verify(jwts: &Jwts, token: &str) -> Result<String, String> {
    match jwts.verify(&call(&[token])).expect("it is a token") {
        Ok(Grant { identity, methods, by_rules }) => {
            assert!(methods.is_none() && by_rules, "the rules decide");
            Ok(identity.to_string())
        }
        Err(status) => {
            assert_eq!((status.code(), status.is_not_processed()), (Code::Unauthenticated, true));
            Err(status.message().to_owned())
        }
    }
}

/// Why the token is refused, as the log has it.
fn reason(jwts: &Jwts, token: &str) -> String {
    assert_eq!(verify(jwts, token).unwrap_err(), REFUSAL, "a caller learns nothing of the reason");
    jwts.0.accepted.load().verify(token.as_bytes()).unwrap().unwrap_err().to_string()
}

#[test]
fn a_token_of_the_issuer_proves_its_subject_with_each_algorithm() {
    for algorithm in ["EdDSA", "ES256", "ES384", "RS256", "RS384", "RS512", "PS256", "PS384", "PS512"] {
        let signer = Signer::new(algorithm, "k");
        let (jwts, other) = (knowing(&[signer.jwk()]), Signer::other(algorithm, "k"));
        let token = signer.token(claims(json!({ "sub": "a/b", "aud": ["other", AUDIENCE] })));
        for _ in 0..2 {
            assert_eq!(verify(&jwts, &token).unwrap(), "jwt:https://idp.example.org/a%2Fb", "{algorithm}");
        }
        let (_, signature) = token.rsplit_once('.').unwrap();
        let more = signer.token(claims(json!({ "sub": "root" })));
        let altered = format!("{}.{signature}", more.rsplit_once('.').unwrap().0);
        assert_eq!(reason(&jwts, &altered), "the signature is not of the issuer's key");
        assert_eq!(
            reason(&jwts, &other.token(claims(json!({})))),
            "the signature is not of the issuer's key"
        );
    }
}

#[test]
fn claims_that_are_missing_wrong_or_out_of_time_are_refused() {
    let signer = Signer::new("EdDSA", "k");
    let jwts = knowing(&[signer.jwk()]);
    for (other, expected) in [
        (json!({ "exp": now() - 90 }), "the token has expired"),
        (json!({ "exp": null }), "exp"),
        (json!({ "exp": "soon" }), "JSON number"),
        (json!({ "exp": -1 }), "seconds since 1970"),
        (json!({ "nbf": now() + 90 }), "the token is not in force yet"),
        (json!({ "nbf": "now" }), "invalid"),
        (
            json!({ "iss": "https://evil.example.org" }),
            "no access.jwt has the issuer \"https://evil.example.org\"",
        ),
        (json!({ "iss": ["https://evil.example.org", ISSUER] }), "expected claims with an issuer"),
        (json!({ "iss": null }), "expected claims with an issuer"),
        (json!({ "aud": "billing" }), "the token is for another audience"),
        (json!({ "aud": ["billing", "shop"] }), "the token is for another audience"),
        (json!({ "aud": [] }), "the token is for another audience"),
        (json!({ "aud": null }), "aud"),
        (json!({ "sub": null }), "sub"),
        (json!({ "sub": "" }), "expected a subject"),
        (json!({ "sub": 7 }), "invalid type"),
        (json!({ "sub": "a".repeat(1_025) }), "expected a subject"),
    ] {
        let reason = reason(&jwts, &signer.token(claims(other.clone())));
        assert!(reason.contains(expected), "{other}: {reason}");
    }
    for other in
        [json!({ "exp": now() - 30 }), json!({ "nbf": now() + 30 }), json!({ "exp": now() as f64 + 9.5 })]
    {
        verify(&jwts, &signer.token(claims(other))).expect("within the leeway");
    }
}

#[test]
fn the_algorithm_is_that_of_the_key_and_never_one_that_the_token_chooses() {
    let rsa = Signer::new("RS256", "k");
    let jwts = knowing(&[rsa.jwk()]);
    // What verifies RS256 is public: it must not sign as a secret.
    for secret in [bytes_of_public_key(), rsa.jwk().to_string().into_bytes(), Vec::new()] {
        for algorithm in ["HS256", "HS384", "HS512"] {
            let forged = signer::hmac(algorithm, "k", &secret, claims(json!({})));
            assert!(reason(&jwts, &forged).contains("no key for a token with the kid"), "{algorithm}");
        }
    }
    let none = signer::unsigned(json!({ "alg": "none", "kid": "k" }), claims(json!({})));
    let nothing = signer::unsigned(json!({ "alg": "RS256", "kid": "k" }), claims(json!({})));
    assert!(none.ends_with('.') && reason(&jwts, &none).contains("invalid token"));
    assert_eq!(reason(&jwts, &nothing), "the signature is not of the issuer's key");
    // The key is for RS256 alone, as its `alg` says.
    assert!(
        reason(&jwts, &Signer::new("PS256", "k").token(claims(json!({})))).contains("no key for a token")
    );
    let mut any = rsa.jwk();
    any.as_object_mut().unwrap().remove("alg");
    verify(&knowing(&[any]), &Signer::new("PS256", "k").token(claims(json!({})))).unwrap();
}

#[test]
fn the_key_is_the_one_that_the_token_names() {
    let (one, two) = (Signer::new("EdDSA", "one"), Signer::other("EdDSA", "two"));
    let (single, both) = (knowing(&[one.jwk()]), knowing(&[one.jwk(), two.jwk()]));
    let unnamed = one.token_under(json!({ "alg": "EdDSA" }), claims(json!({})));
    verify(&single, &unnamed).expect("there is one key");
    assert!(reason(&both, &unnamed).contains("no key for a token with no kid"));
    for signer in [&one, &two] {
        verify(&both, &signer.token(claims(json!({})))).unwrap();
    }
    let unknown = one.token_under(json!({ "alg": "EdDSA", "kid": "three" }), claims(json!({})));
    assert!(reason(&both, &unknown).contains("no key for a token with the kid \"three\""));
    assert!(reason(&single, &unknown).contains("no key for a token with the kid \"three\""));
    let others = one.token_under(json!({ "alg": "EdDSA", "kid": "two" }), claims(json!({})));
    assert_eq!(reason(&both, &others), "the signature is not of the issuer's key");
    let critical = json!({ "alg": "EdDSA", "kid": "one", "crit": ["x"], "x": 1 });
    assert!(reason(&both, &one.token_under(critical, claims(json!({})))).contains("invalid token"));
}

#[test]
fn a_token_is_told_from_other_credentials_by_its_form() {
    let signer = Signer::new("EdDSA", "k");
    let jwts = knowing(&[signer.jwk()]);
    let token = signer.token(claims(json!({})));
    for others in [&["pwt_AAAA"][..], &["opaque"], &["a.b"], &["a.b.c.d"], &[]] {
        assert!(jwts.verify(&call(others)).is_none(), "{others:?}");
    }
    for order in [["pwt_AAAA", &*token], [&*token, "pwt_AAAA"]] {
        assert!(jwts.verify(&call(&order)).unwrap().is_ok());
    }
    assert!(Jwts::new().verify(&call(&[&token])).is_none(), "without issuers tokens are left alone");
    let long = signer.token(claims(json!({ "more": "a".repeat(MAX_TEXT) })));
    assert!(reason(&jwts, &long).contains("expected at most 8192"));
    for malformed in ["a.b.c", "eyJhbGciOiJFZERTQSJ9.e30.AAAA", &token[..token.len() - 1]] {
        verify(&jwts, malformed).unwrap_err();
    }
}

#[test]
fn a_node_that_forwards_calls_leaves_tokens_for_others_alone() {
    let (own, other) = (Signer::new("EdDSA", "k"), Signer::other("EdDSA", "k"));
    let jwts = knowing(&[own.jwk()]);
    jwts.pass_on_others();
    assert!(jwts.verify(&call(&[&other.token(claims(json!({})))])).is_none());
    verify(&jwts, &own.token(claims(json!({})))).unwrap();
}

#[test]
fn a_verified_token_is_refused_once_it_is_out_of_force() {
    let signer = Signer::new("EdDSA", "k");
    let jwts = knowing(&[signer.jwk()]);
    let token = signer.token(claims(json!({})));
    verify(&jwts, &token).unwrap();
    let accepted = jwts.0.accepted.load();
    let known = accepted.cache.get(token.as_bytes()).expect("it is remembered");
    assert!((now() + 655..=now() + 660).contains(&known.ends), "with the leeway");
    // As it is an hour later.
    let over =
        Known { text: token.clone().into(), identity: known.identity.clone(), begins: 0, ends: now() - 1 };
    accepted.cache.insert(Arc::new(over), 0);
    assert_eq!(reason(&jwts, &token), "the token has expired");
}

fn write(file: &Path, keys: &[Value]) {
    fs::write(file, json!({ "keys": keys }).to_string()).unwrap();
}

#[test]
fn replaced_keys_count_at_once_and_a_bad_file_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("jwks.json");
    let (old, new) = (Signer::new("EdDSA", "old"), Signer::other("EdDSA", "new"));
    let (by_old, by_new) = (old.token(claims(json!({}))), new.token(claims(json!({}))));
    write(&file, &[old.jwk()]);
    let jwts = Jwts::new();
    jwts.set([Issuer::open(ISSUER, [AUDIENCE], &file, Duration::ZERO).unwrap()]);
    assert_eq!(jwts.files(), [&*file]);
    assert!(jwts.read_again().is_empty(), "nothing has changed");
    verify(&jwts, &by_old).unwrap();

    for bad in ["", "{", r#"{"keys":[]}"#] {
        fs::write(&file, bad).unwrap();
        assert!(jwts.read_again()[0].1.is_err(), "{bad}");
        verify(&jwts, &by_old).expect("the old keys stay");
    }
    write(&file, &[old.jwk(), new.jwk()]);
    assert!(jwts.read_again()[0].1.is_ok());
    verify(&jwts, &by_new).unwrap();
    verify(&jwts, &by_old).unwrap();
    write(&file, &[new.jwk()]);
    jwts.read_again();
    verify(&jwts, &by_new).unwrap();
    assert!(reason(&jwts, &by_old).contains("no key"), "also one that was verified before");
    fs::remove_file(&file).unwrap();
    assert!(jwts.read_again()[0].1.as_ref().unwrap_err().to_string().starts_with("cannot be read"));
    jwts.set([]);
    assert!(jwts.verify(&call(&[&by_new])).is_none());
}

#[test]
fn a_file_without_a_usable_key_or_with_a_secret_one_is_refused() {
    let problem =
        |text: &str| Issuer::new(ISSUER, [AUDIENCE], text, Duration::ZERO).expect_err(text).to_string();
    let of = |keys: &[Value]| problem(&json!({ "keys": keys }).to_string());
    let with = |name: &str, value: Value| {
        let mut key = Signer::new("RS256", "k").jwk();
        key[name] = value;
        key
    };
    let good = || Signer::new("RS256", "k").jwk();
    assert!(problem("x").starts_with("is no JWKS: expected value"));
    assert_eq!(problem("[]"), "is no JWKS: expected a list \"keys\"");
    assert_eq!(of(&[]), "has no keys; expected at least one");
    let secret = json!({ "kty": "oct", "k": "AAAA", "kid": "s" });
    assert_eq!(of(&[good(), secret]), "has the secret of the key \"s\"; expected public keys alone");
    assert_eq!(
        of(&[with("d", json!("AAAA"))]),
        "has the secret of the key \"k\"; expected public keys alone"
    );
    assert!(of(&[good(), good()]).starts_with("has the key \"k\" twice for one algorithm"));
    for (key, expected) in [
        (with("n", json!("AAAA")), "an RSA modulus of 0 bits; expected 2048 to 8192"),
        (with("n", json!(URL_SAFE_NO_PAD.encode([0xff; 128]))), "an RSA modulus of 1024 bits"),
        (with("n", json!("+")), "no base64url in \"n\""),
        (with("use", json!("enc")), "another use than signatures"),
        (with("key_ops", json!(["sign"])), "key_ops without \"verify\""),
        (with("alg", json!("RSA-OAEP")), "an alg that is not supported"),
        (with("alg", json!("HS256")), "an alg that is not supported"),
        (with("alg", json!("ES256")), "an alg that is not supported"),
        (json!({ "kty": "EC", "crv": "P-521", "x": "AA", "y": "AA" }), "curve that is not supported"),
        (json!({ "kty": "EC", "crv": "P-256", "x": "AA", "y": "AA" }), "has 1 bytes in \"x\"; expected 32"),
        (json!({ "kty": "OKP", "crv": "Ed25519", "x": "AAAA" }), "has 3 bytes in \"x\"; expected 32"),
        (json!({ "kty": "OKP", "crv": "X25519", "x": "AAAA" }), "a key type that is not supported"),
        (json!({ "kty": "AKP", "pub": "AAAA" }), "a key type that is not supported"),
    ] {
        let said = of(std::slice::from_ref(&key));
        assert!(
            said.starts_with("has no usable key; expected one") && said.contains(expected),
            "{key}: {said}"
        );
        // Beside a good one it is left out.
        let beside = with("kid", json!("other"));
        issuer(&json!({ "keys": [key, beside] }).to_string());
    }
}
