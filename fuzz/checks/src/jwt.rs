//! JSON Web Tokens: what is accepted was signed by the issuer, for this audience, and is in force; and no set of keys is
//! accepted that holds a secret.

use std::{
    sync::{Arc, OnceLock},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use iroh_base::SecretKey;
use polywire_core::{
    Caller, Code, Context, Identity,
    access::{Credential as _, Grant},
};
use polywire_runner::jwt::{Issuer, Jwts};
use serde_json::{Value, json};

const ISSUER: &str = "https://idp.example.org";
const AUDIENCE: &str = "inventory";

/// An RSA key that no program knows the secret of: what looks like one to a verifier.
const MODULUS: [u8; 256] = [0xc3; 256];

/// Checks one input, whose first byte says what it is.
///
/// # Panics
/// When the property does not hold.
pub fn check(input: &[u8]) {
    let Some((kind, rest)) = input.split_first() else { return };
    match kind % 3 {
        0 => unsigned(rest),
        1 => signed(rest),
        _ => keys(rest),
    }
}

/// A text that was not signed is never accepted.
fn unsigned(text: &[u8]) {
    let text = String::from_utf8_lossy(text);
    assert!(verified(&text).is_none(), "accepted, and of no issuer: {text}");
}

/// A header and claims of any form, with the right signature: what is accepted says what was asked for.
fn signed(parts: &[u8]) {
    let Some((length, parts)) = parts.split_first() else { return };
    let (header, claims) = parts.split_at(usize::from(*length).min(parts.len()));
    let message = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims));
    let signature = URL_SAFE_NO_PAD.encode(issuer_key().sign(message.as_bytes()).to_bytes());
    let text = format!("{message}.{signature}");
    let Some(identity) = verified(&text) else { return };
    let header: Value = serde_json::from_slice(header).expect("a header");
    assert_eq!(header["alg"], "EdDSA");
    assert_eq!(header["kid"], "ed");
    // Claims that are not looked at may be no Unicode.
    let claims: Value = serde_json::from_str(&String::from_utf8_lossy(claims)).expect("claims");
    assert_eq!(claims["iss"], ISSUER);
    let of_audience = |audience: &Value| audience == AUDIENCE;
    let audience = &claims["aud"];
    assert!(of_audience(audience) || audience.as_array().is_some_and(|all| all.iter().any(of_audience)));
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("a time after 1970").as_secs_f64();
    assert!(claims["exp"].as_f64().expect("an end") > now - 1.0);
    assert!(claims.get("nbf").is_none_or(|begin| begin.as_f64().expect("a begin") < now + 1.0));
    let subject = claims["sub"].as_str().expect("a subject").to_owned();
    let expected = Identity::Jwt { issuer: ISSUER.to_owned(), subject };
    assert_eq!(identity.to_string().parse(), Ok(expected), "the text of the identity is that of one alone");
    // One bit of the signed part.
    let altered = text.replacen(char::is_alphanumeric, "_", 1);
    assert!(verified(&altered).is_none() || altered == text);
}

/// A set of keys of any form: a secret is never taken for a public key.
fn keys(text: &[u8]) {
    let Ok(text) = std::str::from_utf8(text) else { return };
    if Issuer::new(ISSUER, [AUDIENCE], text, Duration::ZERO).is_err() {
        return;
    }
    let set: Value = serde_json::from_str(text).expect("JSON");
    for key in set["keys"].as_array().expect("keys") {
        assert!(key["kty"] != "oct" && key.get("k").is_none() && key.get("d").is_none(), "{key}");
    }
}

/// The identity that the text proves. A refusal says nothing of the text, and is not processed.
fn verified(text: &str) -> Option<Arc<Identity>> {
    let mut cx = Context::incoming("/a.v1.A/Get", Arc::new(Caller::new("grpc"))).expect("a path");
    cx.metadata_mut().append("authorization", format!("Bearer {text}")).ok()?;
    match jwts().verify(&cx)? {
        Ok(Grant { identity, methods, .. }) => {
            assert!(methods.is_none() && matches!(*identity, Identity::Jwt { .. }));
            Some(identity)
        }
        Err(status) => {
            assert_eq!((status.code(), status.is_not_processed()), (Code::Unauthenticated, true));
            assert!(status.message().starts_with("refused JSON Web Token; expected one of an issuer"));
            None
        }
    }
}

fn issuer_key() -> SecretKey {
    SecretKey::from_bytes(&[9; 32])
}

fn jwts() -> &'static Jwts {
    static JWTS: OnceLock<Jwts> = OnceLock::new();
    JWTS.get_or_init(|| {
        let encoded = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        let jwks = json!({ "keys": [
            { "kty": "OKP", "crv": "Ed25519", "kid": "ed", "x": encoded(issuer_key().public().as_bytes()) },
            { "kty": "RSA", "kid": "rs", "n": encoded(&MODULUS), "e": "AQAB" },
            { "kty": "EC", "crv": "P-256", "kid": "es", "x": encoded(&[7; 32]), "y": encoded(&[7; 32]) },
        ] });
        let jwts = Jwts::new();
        jwts.set([Issuer::new(ISSUER, [AUDIENCE], &jwks.to_string(), Duration::ZERO).expect("keys")]);
        jwts
    })
}
