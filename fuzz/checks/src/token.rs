//! Tokens: no text panics, one token has one text, and neither a holder nor a stranger with tools of their own gets a token
//! accepted that allows what the node has not granted.

mod forger;
mod power;

use std::{
    sync::{Arc, OnceLock},
    time::{Duration, SystemTime},
};

use arbitrary::Unstructured;
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use iroh_base::SecretKey;
use polywire_core::{
    Caller, Code, Context, Identity,
    access::{Credential as _, Grant},
};
use polywire_runner::tokens::{Narrowing, Token, Tokens, unix_seconds};

use self::power::Power;

/// Checks one input, whose first byte says what it is.
///
/// # Panics
/// When the property does not hold.
pub fn check(input: &[u8]) {
    let Some((kind, rest)) = input.split_first() else { return };
    match kind % 3 {
        0 => strange(&String::from_utf8_lossy(rest)),
        1 => strange(&format!("pwt_{}", URL_SAFE_NO_PAD.encode(rest))),
        _ => forged(&mut Unstructured::new(rest)),
    }
}

/// A text that this node has not signed: it may be a token, of a stranger.
fn strange(text: &str) {
    if let Some(token) = read(text) {
        assert_ne!(token.issuer(), *node_key().public().as_bytes(), "{text}");
        narrow(&token, &mut Unstructured::new(text.as_bytes()));
    }
    assert!(granted(text, None).is_none(), "{text}");
}

/// A token of which the node has signed the first link at most, and a holder or a stranger the others.
fn forged(input: &mut Unstructured<'_>) {
    let Ok(forged) = forger::forge(input, &node_key()) else { return };
    let token = read(&forged.text);
    let accepted = token.as_ref().filter(|token| token.check().is_ok());
    for key in [None, Some(power::KEY), Some(power::OTHER_KEY)] {
        let Some(grant) = granted(&forged.text, key) else { continue };
        let token = accepted.expect("what is granted is in force");
        let invited = forged.invited.as_ref().expect("what is granted, the node has signed");
        assert_eq!(token.issuer(), *node_key().public().as_bytes());
        assert_eq!(*grant.identity, Identity::Token(forged.name.clone()));
        let power = Power {
            methods: grant.methods.expect("methods").to_vec(),
            to: token.to(),
            expires: token.expires(),
        };
        power.assert_within(invited);
        assert!(invited.to.is_none() || invited.to == key, "it is of use to another key");
        assert!(forged.uses.is_none_or(|uses| token.limits().any(|limit| limit == (token.id(), uses))));
    }
    if let Some(token) = &token {
        narrow(token, input);
    }
}

/// The token of the text. All that it says is within bounds.
fn read(text: &str) -> Option<Token> {
    let token: Token = text.parse().ok()?;
    assert_eq!(token.to_string(), text);
    assert!((1..=8).contains(&token.ids().count()) && token.limits().count() <= 8);
    assert!((1..=64).contains(&token.methods().len()) && token.targets().len() <= 8);
    assert!(!token.name().is_empty() && token.name().len() <= 64);
    assert!(!format!("{token:?}").contains(text));
    Some(token)
}

/// What a holder makes of the token allows nothing that it does not allow, and is read as it was made.
fn narrow(token: &Token, input: &mut Unstructured<'_>) {
    let Ok(narrowing) = narrowing(input) else { return };
    let Ok(narrowed) = token.narrow(narrowing) else { return };
    let read = read(&narrowed.to_string()).expect("a narrowed token is a token");
    assert_eq!((read.issuer(), read.id(), read.name()), (token.issuer(), token.id(), token.name()));
    assert_eq!(read.targets(), token.targets());
    Power::of(&read).assert_within(&Power::of(token));
    assert!(token.limits().all(|limit| read.limits().any(|kept| kept == limit)));
    // A chain with a link that widens may be in force again with a narrower one behind: each link is held to the last one. What that
    // allows is within what the node has signed, as for all others.
}

fn narrowing(input: &mut Unstructured<'_>) -> arbitrary::Result<Narrowing> {
    let methods = forger::methods(input)?;
    let at = |seconds: u32| SystemTime::UNIX_EPOCH + Duration::from_secs(u64::from(seconds));
    Ok(Narrowing {
        methods: if input.ratio(1, 4)? { Vec::new() } else { methods },
        expires: if input.ratio(1, 2)? { None } else { Some(at(input.arbitrary()?)) },
        uses: input.arbitrary()?,
        to: forger::to(input)?,
    })
}

/// What the node grants a caller with this token that has proved this key.
fn granted(text: &str, key: Option<[u8; 32]>) -> Option<Grant> {
    let caller = Caller::new("iroh");
    let caller = key.map_or(caller.clone(), |key| caller.with_identity(Identity::Key(key)));
    let mut cx = Context::incoming("/a.v1.A/Get", Arc::new(caller)).expect("a path");
    cx.metadata_mut().append("authorization", format!("Bearer {text}")).ok()?;
    match tokens().verify(&cx)? {
        Ok(grant) => Some(grant),
        Err(status) => {
            assert_eq!((status.code(), status.is_not_processed()), (Code::Unauthenticated, true));
            None
        }
    }
}

fn node_key() -> SecretKey {
    SecretKey::from_bytes(&[1; 32])
}

fn tokens() -> &'static Tokens {
    static TOKENS: OnceLock<(Tokens, tempfile::TempDir)> = OnceLock::new();
    let open = || {
        let directory = tempfile::tempdir().expect("a temporary directory");
        (Tokens::open(node_key(), directory.path()).expect("no records"), directory)
    };
    &TOKENS.get_or_init(open).0
}

/// Now, in seconds since 1970.
fn now() -> u64 {
    unix_seconds(SystemTime::now())
}
