//! JSON Web Tokens of an issuer that the node knows by a file of keys.

use std::{
    fs,
    path::{Path, PathBuf},
    time::{SystemTime, UNIX_EPOCH},
};

use polywire_tests::{
    node::{FREE_PORTS, Node, run},
    patience::eventually,
};
use rcgen::{KeyPair, PKCS_ED25519, SigningKey as _};
use rustix::process::Signal;
use serde_json::{Value, json};

use super::{GET, KEY, NOT_FOUND, PERMISSION_DENIED, PUT, UNAUTHENTICATED};
use crate::python::run_against;

const ISSUER: &str = "https://idp.example.org";

/// An issuer with one Ed25519 key.
struct Issuer(KeyPair);

/// Base64url without padding.
fn encoded(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let bits = (0..3).fold(0, |bits, place| bits << 8 | u32::from(*chunk.get(place).unwrap_or(&0)));
        let letters = (0..=chunk.len()).map(|place| LETTERS[(bits >> (18 - 6 * place) & 63) as usize]);
        text.extend(letters.map(char::from));
    }
    text
}

impl Issuer {
    fn new() -> Self {
        Self(KeyPair::generate_for(&PKCS_ED25519).unwrap())
    }

    fn write(&self, file: &Path) {
        let key =
            json!({ "kty": "OKP", "crv": "Ed25519", "x": encoded(self.0.public_key_raw()), "kid": "k" });
        fs::write(file, json!({ "keys": [key] }).to_string()).unwrap();
    }

    fn token(&self, subject: &str, valid_for: i64) -> String {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
        let end = now.checked_add_signed(valid_for).unwrap();
        let part = |value: Value| encoded(value.to_string().as_bytes());
        let claims = json!({ "iss": ISSUER, "sub": subject, "aud": ["inventory"], "exp": end });
        let message = format!("{}.{}", part(json!({ "alg": "EdDSA", "kid": "k" })), part(claims));
        let signature = self.0.sign(message.as_bytes()).unwrap();
        format!("{message}.{}", encoded(&signature))
    }
}

/// `[access]` of a node that knows the issuer by this file.
fn flags(jwks: &Path) -> [String; 3] {
    let jwks = jwks.display();
    let allow = json_rules(&[
        ("jwt:https://idp.example.org/ann", GET),
        ("jwt:https://idp.example.org/repo:shop%2Fweb:ref:refs%2Fheads%2Fmain", GET),
        ("jwt:https://idp.example.org/*", "polywire.kv.v1.Kv/List"),
    ]);
    [
        "--access.trust_local=false".to_owned(),
        format!("--access.jwt=[{{ issuer = \"{ISSUER}\", audience = \"inventory\", jwks = \"{jwks}\" }}]"),
        format!("--access.allow={allow}"),
    ]
}

fn json_rules(rules: &[(&str, &str)]) -> String {
    let rules = rules.iter().map(|(who, what)| format!("{{ who = [\"{who}\"], what = [\"{what}\"] }}"));
    format!("[{}]", rules.collect::<Vec<_>>().join(", "))
}

/// A file of the issuer's keys, and the directory that it is in.
fn jwks(issuer: &Issuer) -> (tempfile::TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("jwks.json");
    issuer.write(&file);
    (directory, file)
}

async fn called(token: &str, target: &str, method: &str) -> (i32, String) {
    let header = format!("authorization: Bearer {token}");
    let done = run(Path::new("/"), &["call", "-H", &header, target, method, KEY]).await;
    (done.code, done.stderr)
}

#[tokio::test(flavor = "multi_thread")]
async fn python_calls_with_tokens_that_another_library_signs() {
    let (_directory, file) = jwks(&Issuer::new());
    let flags = flags(&file);
    let node = Node::start(&flags.each_ref().map(String::as_str)).await;
    let metrics = format!("{}/metrics", node.targets.http.as_deref().unwrap());
    let servers = [
        ("NODE_ADDRESS", node.grpc()),
        ("METRICS_URL", &metrics),
        ("JWKS", file.to_str().unwrap()),
        ("NODE_PID", &node.pid().to_string()),
    ];
    run_against("jwts.py", servers).await;
}

#[tokio::test]
async fn a_token_is_an_identity_over_every_transport_until_its_key_is_replaced() {
    let issuer = Issuer::new();
    let (_directory, file) = jwks(&issuer);
    let flags = flags(&file);
    let others = [
        "--transport.unix.enabled=true",
        "--transport.quic.enabled=true",
        "--transport.quic.bind_address=127.0.0.1:0",
        "--transport.websocket.enabled=true",
        "--transport.websocket.bind_address=127.0.0.1:0",
    ];
    let node = Node::start(&[&flags.each_ref().map(String::as_str)[..], &others].concat()).await;
    let mut targets = vec![node.grpc(), node.iroh()];
    targets.extend(["unix", "quic", "websocket"].map(|name| node.target(name)));
    let (ann, bob) = (issuer.token("ann", 300), issuer.token("bob", 300));
    let (expired, forged) = (issuer.token("ann", -120), Issuer::new().token("ann", 300));
    for target in &targets {
        let (code, text) = called(&ann, target, GET).await;
        assert_eq!(code, NOT_FOUND, "{target}: {text}");
        for (token, method) in [(&ann, PUT), (&bob, GET)] {
            let (code, text) = called(token, target, method).await;
            assert_eq!(code, PERMISSION_DENIED, "{target}: {text}");
        }
        let (code, text) = called(&expired, target, GET).await;
        assert_eq!(code, UNAUTHENTICATED, "{target}: {text}");
        assert_eq!(called(&forged, target, GET).await, (code, text), "{target}: no caller learns why");
    }

    let next = Issuer::new();
    next.write(&file);
    node.signal(Signal::HUP);
    eventually("the new key counts", async || {
        (called(&next.token("ann", 300), node.iroh(), GET).await.0 == NOT_FOUND).then_some(())
    })
    .await;
    assert_eq!(called(&ann, node.grpc(), GET).await.0, UNAUTHENTICATED);
    let log = node.terminate().await.stderr;
    assert!(log.contains("the keys of an issuer were read again"), "{log}");
}

#[tokio::test]
async fn issuers_and_their_rules_are_read_again_with_the_configuration() {
    let issuer = Issuer::new();
    let (directory, jwks) = jwks(&issuer);
    let config = directory.path().join("node.toml");
    let write = |text: String| fs::write(&config, format!("[access]\ntrust_local = false\n{text}")).unwrap();
    write(String::new());
    let node = Node::start(&["--config", config.to_str().unwrap()]).await;
    let token = issuer.token("ann", 300);
    assert_eq!(called(&token, node.grpc(), GET).await.0, UNAUTHENTICATED);
    let rule = format!("\n[[access.allow]]\nwho = [\"jwt:{ISSUER}/ann\"]\nwhat = [\"{GET}\"]\n");
    let known =
        format!("[[access.jwt]]\nissuer = \"{ISSUER}\"\naudience = \"inventory\"\njwks = {jwks:?}\n{rule}");
    write(known.clone());
    node.signal(Signal::HUP);
    eventually("the issuer is known", async || {
        (called(&token, node.grpc(), GET).await.0 == NOT_FOUND).then_some(())
    })
    .await;
    // A file that is not there leaves everything as it was.
    write(known.replace("jwks.json", "gone.json").replace(&rule, ""));
    node.signal(Signal::HUP);
    eventually("the change is refused", async || {
        node.get("/readyz?verbose").await.body.contains("gone.json cannot be read").then_some(())
    })
    .await;
    assert_eq!(called(&token, node.grpc(), GET).await.0, NOT_FOUND);
}

#[tokio::test]
async fn what_is_wrong_with_an_issuer_is_refused_at_its_place() {
    let (directory, _) = jwks(&Issuer::new());
    fs::write(directory.path().join("bad.json"), r#"{"keys":[{"kty":"oct","k":"AAAA"}]}"#).unwrap();
    let issuer = |more: &str| {
        format!(
            "[[access.jwt]]\nissuer = \"{ISSUER}\"\naudience = \"inventory\"\njwks = \"jwks.json\"\n{more}"
        )
    };
    let rule = |who: &str| format!("[[access.allow]]\nwho = [\"{who}\"]\nwhat = [\"application\"]\n");
    for (text, expected) in [
        (
            issuer("").replace("jwks.json", "gone.json"),
            "node.toml:4:1: access.jwt[0].jwks: gone.json cannot be read",
        ),
        (
            issuer("").replace("jwks.json", "bad.json"),
            "bad.json has the secret of keys[0]; expected public keys alone",
        ),
        (issuer("key = 1\n"), "unknown field `key`"),
        (issuer("").replace("audience = \"inventory\"\n", ""), "missing field `audience`"),
        (issuer("").replace("\"inventory\"", "[]"), "access.jwt[0].audience: expected the \"aud\" of tokens"),
        (issuer("leeway = \"1h\"\n"), "access.jwt[0].leeway: expected at most 600s, found 3600s"),
        (issuer("") + &issuer(""), "access.jwt[1].issuer: expected each issuer once"),
        (issuer("") + &rule("jwt:https://other.example.org/ann"), "expected the issuer of an access.jwt"),
        (issuer("") + &rule(&format!("jwt:{ISSUER}/a/b")), "a '/' in a subject is written \"%2F\""),
        (rule(&format!("jwt:{ISSUER}/ann")), "no access.jwt has the issuer \"https://idp.example.org\""),
    ] {
        fs::write(directory.path().join("node.toml"), &text).unwrap();
        let serve = [&["serve", "--config", "node.toml"], &FREE_PORTS[..]].concat();
        for command in [&["config", "check", "node.toml"][..], &serve] {
            let refused = run(directory.path(), command).await;
            assert_eq!(refused.code, 1, "{text}: {}", refused.stdout);
            assert!(refused.stderr.contains(expected), "{text}: {}", refused.stderr);
        }
    }
    let good = issuer("leeway = \"30s\"\n") + &rule(&format!("jwt:{ISSUER}/repo:a%2Fb"));
    fs::write(directory.path().join("node.toml"), good).unwrap();
    let checked = run(directory.path(), &["config", "check", "node.toml"]).await;
    assert_eq!((checked.code, &*checked.stdout), (0, "ok\n"), "{}", checked.stderr);
}
