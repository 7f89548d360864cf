//! Tells the binary which commit it is built from, where that can be known: not from a crate's package, and not without
//! git.

use std::{path::Path, process::Command};

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-env-changed=POLYWIRE_COMMIT");
    // A build without the repository may be told by the variable.
    if std::env::var_os("POLYWIRE_COMMIT").is_none()
        && let Some(commit) = commit()
    {
        println!("cargo::rustc-env=POLYWIRE_COMMIT={commit}");
    }
}

/// The commit of this repository.
fn commit() -> Option<String> {
    // A package that lies in another repository is none of its commits.
    let top = git(&["rev-parse", "--show-toplevel"])?;
    let package = Path::new(env!("CARGO_MANIFEST_DIR")).canonicalize().ok()?;
    if package.parent()? != Path::new(&top).canonicalize().ok()? {
        return None;
    }
    // These change with the commit, and not with each file; what lies beneath them differs between repositories.
    for name in ["HEAD", "logs/HEAD"] {
        let file = git(&["rev-parse", "--git-path", name])?;
        if Path::new(&file).exists() {
            println!("cargo::rerun-if-changed={file}");
        }
    }
    git(&["rev-parse", "--short=12", "HEAD"])
}

fn git(arguments: &[&str]) -> Option<String> {
    let output = Command::new("git").args(arguments).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| text.trim().to_owned())
}
