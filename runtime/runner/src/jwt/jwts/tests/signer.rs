//! An issuer of tests: its keys, and tokens that it signs.

use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use ring::{
    hmac as ring_hmac,
    rand::SystemRandom,
    rsa::PublicKeyComponents,
    signature::{
        ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair,
        KeyPair as _, RSA_PKCS1_SHA256, RSA_PKCS1_SHA384, RSA_PKCS1_SHA512, RSA_PSS_SHA256, RSA_PSS_SHA384,
        RSA_PSS_SHA512, RsaEncoding, RsaKeyPair,
    },
};
use serde_json::{Value, json};

/// A key with its `kid`, and the algorithm with which it signs.
pub(super) struct Signer {
    id: &'static str,
    algorithm: &'static str,
    key: Key,
    /// A key of others signs something else.
    is_other: bool,
}

enum Key {
    Ed25519(Ed25519KeyPair),
    Ecdsa(EcdsaKeyPair),
    Rsa(Box<RsaKeyPair>),
}

/// Made for these tests, as `ring` makes none: PKCS #8 in base64.
const RSA: &str = include_str!("rsa-of-tests.pkcs8.base64");

fn rsa() -> RsaKeyPair {
    let text: String = RSA.split_whitespace().collect();
    RsaKeyPair::from_pkcs8(&STANDARD.decode(text).unwrap()).unwrap()
}

/// The modulus that a set of keys publishes.
pub(super) fn bytes_of_public_key() -> Vec<u8> {
    PublicKeyComponents::<Vec<u8>>::from(rsa().public()).n
}

impl Signer {
    /// The issuer's key.
    pub(super) fn new(algorithm: &'static str, id: &'static str) -> Self {
        Self::of(algorithm, id, 1, false)
    }

    /// Another key. There is one RSA key, whose signature is made wrong.
    pub(super) fn other(algorithm: &'static str, id: &'static str) -> Self {
        Self::of(algorithm, id, 2, true)
    }

    fn of(algorithm: &'static str, id: &'static str, seed: u8, is_other: bool) -> Self {
        let ecdsa = |kind| {
            let random = SystemRandom::new();
            let document = EcdsaKeyPair::generate_pkcs8(kind, &random).unwrap();
            Key::Ecdsa(EcdsaKeyPair::from_pkcs8(kind, document.as_ref(), &random).unwrap())
        };
        let key = match algorithm {
            "EdDSA" => Key::Ed25519(Ed25519KeyPair::from_seed_unchecked(&[seed; 32]).unwrap()),
            "ES256" => ecdsa(&ECDSA_P256_SHA256_FIXED_SIGNING),
            "ES384" => ecdsa(&ECDSA_P384_SHA384_FIXED_SIGNING),
            _ => Key::Rsa(Box::new(rsa())),
        };
        Self { id, algorithm, key, is_other }
    }

    /// The public key, as a JWKS has it.
    pub(super) fn jwk(&self) -> Value {
        let text = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        let mut key = match &self.key {
            Key::Ed25519(key) => {
                json!({ "kty": "OKP", "crv": "Ed25519", "x": text(key.public_key().as_ref()) })
            }
            Key::Ecdsa(key) => {
                let point = &key.public_key().as_ref()[1..];
                let (x, y) = point.split_at(point.len() / 2);
                let curve = if x.len() == 32 { "P-256" } else { "P-384" };
                json!({ "kty": "EC", "crv": curve, "x": text(x), "y": text(y) })
            }
            Key::Rsa(key) => {
                let PublicKeyComponents { n, e } = PublicKeyComponents::<Vec<u8>>::from(key.public());
                // Some issuers write a zero before it.
                json!({ "kty": "RSA", "n": text(&[&[0], &*n].concat()), "e": text(&e) })
            }
        };
        key["kid"] = self.id.into();
        key["alg"] = self.algorithm.into();
        key["use"] = "sig".into();
        key
    }

    /// A token with these claims.
    pub(super) fn token(&self, claims: Value) -> String {
        self.token_under(json!({ "typ": "JWT", "alg": self.algorithm, "kid": self.id }), claims)
    }

    /// A token with this header and these claims.
    pub(super) fn token_under(&self, header: Value, claims: Value) -> String {
        signed(header, claims, |message| self.sign(message))
    }

    fn sign(&self, message: &[u8]) -> Vec<u8> {
        let random = SystemRandom::new();
        match &self.key {
            Key::Ed25519(key) => key.sign(message).as_ref().to_vec(),
            Key::Ecdsa(key) => key.sign(&random, message).unwrap().as_ref().to_vec(),
            Key::Rsa(key) => {
                let mut signature = vec![0; key.public().modulus_len()];
                let encoding: &'static dyn RsaEncoding = match self.algorithm {
                    "RS256" => &RSA_PKCS1_SHA256,
                    "RS384" => &RSA_PKCS1_SHA384,
                    "RS512" => &RSA_PKCS1_SHA512,
                    "PS256" => &RSA_PSS_SHA256,
                    "PS384" => &RSA_PSS_SHA384,
                    _ => &RSA_PSS_SHA512,
                };
                let message = if self.is_other { &b"another"[..] } else { message };
                key.sign(encoding, &random, message, &mut signature).unwrap();
                signature
            }
        }
    }
}

/// A token that a shared secret signs.
pub(super) fn hmac(algorithm: &str, id: &str, secret: &[u8], claims: Value) -> String {
    let kind = match algorithm {
        "HS256" => ring_hmac::HMAC_SHA256,
        "HS384" => ring_hmac::HMAC_SHA384,
        _ => ring_hmac::HMAC_SHA512,
    };
    let key = ring_hmac::Key::new(kind, secret);
    signed(json!({ "alg": algorithm, "kid": id }), claims, |message| {
        ring_hmac::sign(&key, message).as_ref().to_vec()
    })
}

/// A token without a signature.
pub(super) fn unsigned(header: Value, claims: Value) -> String {
    signed(header, claims, |_| Vec::new())
}

fn signed(header: Value, claims: Value, sign: impl Fn(&[u8]) -> Vec<u8>) -> String {
    let part = |value: Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let message = format!("{}.{}", part(header), part(claims));
    let signature = URL_SAFE_NO_PAD.encode(sign(message.as_bytes()));
    format!("{message}.{signature}")
}
