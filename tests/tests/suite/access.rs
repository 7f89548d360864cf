//! Who may call what: tokens, from `invite` to their revocation.

mod cluster;
mod jwt;
mod lookups;
mod operators;
mod python;
mod streams;
mod tokens;

use std::path::Path;

use polywire_tests::node::{Finished, run};

/// `UNAUTHENTICATED` and `PERMISSION_DENIED` as exit statuses of `call`.
pub(crate) const UNAUTHENTICATED: i32 = 64 + 16;
pub(crate) const PERMISSION_DENIED: i32 = 64 + 7;

/// What reading a key comes to that is not there: the call was admitted.
pub(crate) const NOT_FOUND: i32 = 64 + 5;

pub(crate) const GET: &str = "polywire.kv.v1.Kv/Get";
pub(crate) const PUT: &str = "polywire.kv.v1.Kv/Put";

/// A request for a key that is not there.
pub(crate) const KEY: &str = r#"{"key":"none"}"#;

/// Runs the command, which must succeed, and returns its first line.
pub(crate) async fn line(arguments: &[&str]) -> String {
    let done = run(Path::new("/"), arguments).await;
    assert_eq!(done.code, 0, "{arguments:?}: {}", done.stderr);
    done.stdout.lines().next().unwrap_or_default().to_owned()
}

/// `invite` for the node with this data directory.
pub(crate) async fn invite(data_dir: &Path, arguments: &[&str]) -> String {
    let data_dir = format!("--node.data_dir={}", data_dir.display());
    line(&[&["invite", &data_dir], arguments].concat()).await
}

/// `call` of this target and method with this token.
pub(crate) async fn call_with(token: &str, target: &str, method: &str) -> Finished {
    run(Path::new("/"), &["call", "--token", token, target, method, KEY]).await
}

/// The id of a token: of the issued one, and not of what it was narrowed to.
pub(crate) async fn id(token: &str) -> String {
    let shown: serde_json::Value =
        serde_json::from_str(&line(&["token", "show", "--json", token]).await).unwrap();
    shown["ids"][0].as_str().unwrap().to_owned()
}
