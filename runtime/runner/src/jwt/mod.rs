//! JSON Web Tokens of an existing issuer: an identity for callers that have an account elsewhere.
//!
//! An [`Issuer`] is the `iss` of its tokens, the audiences that this node is, and a file with the issuer's public keys (a JWKS,
//! RFC 7517). [`Jwts`] is the [`Credential`](polywire_core::access::Credential) of all issuers that a node knows: a call with
//! `authorization: Bearer JWT` has the identity `jwt:ISSUER/SUBJECT`, and the rules decide what that identity may call.
//!
//! # What is verified
//! * The signature, by the one key that the token's `kid` names, or by the only key where there is one, with an algorithm that
//!   this key is for. Algorithms with a shared secret (HS256) and `none` are never accepted, whatever a token says.
//! * `iss` is the issuer's name, and `aud` is, or contains, one of the audiences.
//! * `exp` is there and has not passed, and `nbf` has, each with the issuer's leeway for clocks that differ.
//! * `sub` is there. It is the subject of the identity.
//!
//! A refused caller learns what is expected, and not what was wrong: the log has that.
//!
//! # The cryptography
//! `jsonwebtoken` reads tokens and claims, and `ring`, which is under TLS already, verifies signatures: see
//! `verifier`. Of the two backends that `jsonwebtoken` brings, `rust_crypto` adds about 30 crates with a second RSA and second
//! elliptic curves, and `aws_lc_rs` a library in C.

mod form;
mod issuer;
mod jwks;
mod jwts;
mod key;
mod known;
mod refused;
mod verifier;

pub use self::{form::MAX_TEXT, issuer::Issuer, jwks::InvalidJwks, jwts::Jwts};
