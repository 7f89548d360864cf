//! An issuer of JSON Web Tokens, with one key.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use iroh::SecretKey;
use serde_json::{Value, json};

use crate::contestant;

pub(super) const NAME: &str = "https://idp.example.org";

/// The issuer's keys, and a token as large as they commonly are.
pub(super) fn issued() -> contestant::Result<(String, String)> {
    let key = SecretKey::from_bytes(&[9; 32]);
    let x = URL_SAFE_NO_PAD.encode(key.public().as_bytes());
    let jwks =
        json!({ "keys": [{ "kty": "OKP", "crv": "Ed25519", "alg": "EdDSA", "kid": "bench", "x": x }] });
    let expires = SystemTime::now() + Duration::from_secs(3_600);
    let claims = json!({
        "iss": NAME,
        "sub": "5f7c8ec7-2b9e-4f6c-9a1d-0b1f6f3f1c1e",
        "aud": ["inventory", "billing"],
        "exp": expires.duration_since(UNIX_EPOCH)?.as_secs(),
        "groups": (0..16).map(|number| format!("department-{number:02}")).collect::<Vec<_>>(),
    });
    let part = |value: Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let message =
        format!("{}.{}", part(json!({ "alg": "EdDSA", "kid": "bench", "typ": "JWT" })), part(claims));
    let signature = key.sign(message.as_bytes()).to_bytes();
    Ok((jwks.to_string(), format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature))))
}
