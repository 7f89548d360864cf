//! How many crates each part brings, and which it must not.

use std::{collections::BTreeSet, process::Command};

use super::sources::root;

/// The features of core, and how many crates they may take, core itself included. Plain targets and balancing take none
/// beyond the empty set. A WebSocket under TLS is the plain one with rustls and ring.
const MOST: &[(&str, usize)] = &[
    ("", 38),
    ("memory", 38),
    ("unix", 45),
    ("websocket", 60),
    ("websocket-tls", 70),
    ("quic", 70),
    ("grpc", 82),
];

/// What a node is made with, and a transport knows nothing of.
const OF_NODES: &[&str] = &["axum", "clap", "polywire-runner", "prometheus", "toml", "tracing-subscriber"];

#[test]
fn a_transport_takes_few_crates() {
    let mut many = Vec::new();
    for (features, most) in MOST {
        let crates = crates("polywire-core", features);
        if crates.len() > *most {
            let found = crates.len();
            many.push(format!(
                "core with {features:?} takes {found} crates; expected at most {most}: {crates:?}"
            ));
        }
    }
    assert!(many.is_empty(), "{}", many.join("\n"));
}

#[test]
fn core_takes_nothing_of_a_node() {
    let all = "grpc,iroh,quic,memory,unix,websocket-tls,gzip,zstd,settings,suggestions";
    let crates = crates("polywire-core", all);
    let of_nodes: Vec<_> = OF_NODES.iter().filter(|name| crates.contains(**name)).collect();
    assert!(of_nodes.is_empty(), "{of_nodes:?}");
    assert!(crates.contains("iroh") && crates.contains("tonic"), "{crates:?}");
}

/// The names and versions of the crates that this one is built with, itself included, by their names.
fn crates(package: &str, features: &str) -> BTreeSet<String> {
    let arguments = ["tree", "--locked", "--offline", "-e", "normal", "--prefix", "none", "--format", "{p}"];
    let tree = Command::new(env!("CARGO"))
        .args(arguments)
        .args(["-p", package, "--no-default-features", "--features", features])
        .current_dir(root())
        .output()
        .expect("cargo runs");
    assert!(tree.status.success(), "{}", String::from_utf8_lossy(&tree.stderr));
    let text = String::from_utf8(tree.stdout).expect("cargo writes Unicode");
    let mut versions = BTreeSet::new();
    for line in text.lines() {
        let mut words = line.split_whitespace();
        if let (Some(name), Some(version)) = (words.next(), words.next()) {
            versions.insert(format!("{name} {version}"));
        }
    }
    // Two versions of one crate count twice, and are both found by its name.
    let mut crates = BTreeSet::new();
    for version in versions {
        let name = version.split(' ').next().unwrap_or_default().to_owned();
        if !crates.insert(name) {
            crates.insert(version);
        }
    }
    crates
}
