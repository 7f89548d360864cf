//! Which module may know which: arrows point down only.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

use super::sources::{files, named, root};

/// A crate whose modules are in layers, the lowest first: each may name those before it. Modules of one line do not know
/// one another.
struct Layered {
    sources: &'static str,
    layers: &'static [&'static [&'static str]],
}

const CRATES: &[Layered] = &[
    Layered {
        sources: "runtime/core/src",
        layers: &[
            // Values that need nothing.
            &[
                "access_class",
                "caller",
                "code",
                "drain",
                "extensions",
                "message",
                "nearest",
                "network_path",
                "plain",
                "private_file",
                "sync",
                "truncated",
                "watched",
            ],
            &["metadata"],
            &["status"],
            &["codec", "compression", "trace_context"],
            &["wire"],
            // Messages and methods.
            &["payload", "message_fields", "message_type"],
            &["method", "streaming"],
            &["short_name", "response"],
            &["alpn", "deadline"],
            &["observer"],
            &["encoding", "messages"],
            // A call.
            &["context", "server_timing"],
            &["via"],
            &["panic", "trace"],
            &["access", "body"],
            // The waist, and what any service can be.
            &["service"],
            &["explanation"],
            &["channel"],
            &["call", "server"],
            &["layer", "router"],
            &["policy", "settings"],
            &["private"],
            &["alias"],
            // The networks, and what chooses among them.
            &["transport"],
            &["balance"],
            &["gateway"],
            &["runner"],
        ],
    },
    Layered {
        sources: "runtime/runner/src",
        layers: &[
            &["section", "command", "metrics", "health", "tokens"],
            &["jwt"],
            &["transports"],
            &["config"],
            &["node"],
            &["cli"],
            &["private"],
        ],
    },
];

/// The networks of core: none knows another.
const NETWORKS: &[&str] = &["grpc", "iroh", "memory", "quic", "unix", "websocket"];

#[test]
fn modules_name_only_what_is_below_them() {
    let faults: Vec<_> = CRATES.iter().flat_map(faults).collect();
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn no_network_names_another() {
    let directory = root().join("runtime/core/src/transport");
    let mut faults = Vec::new();
    for network in NETWORKS {
        for file in files(&directory.join(network), false) {
            let source = read(&directory.join(network).join(&file));
            for named in named(&source) {
                let other = match named.path.iter().map(String::as_str).collect::<Vec<_>>()[..] {
                    ["transport", other, ..] => other,
                    [other, ..] => other,
                    [] => continue,
                };
                if NETWORKS.contains(&other) && other != *network {
                    let file = file.display();
                    faults.push(format!(
                        "runtime/core/src/transport/{network}/{file}:{}: `{network}` names `{other}`",
                        named.line
                    ));
                }
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn an_arrow_that_points_up_is_named_with_its_line() {
    let exported = BTreeMap::from([("Channel".to_owned(), "channel".to_owned())]);
    let layers: &[&[&str]] = &[&["code", "wire"], &["channel"]];
    let of = |module, source| faults_of(layers, &exported, module, "a.rs", source);
    assert_eq!(of("channel", "use crate::{Channel, code::Code};"), Vec::<String>::new());
    assert_eq!(
        of("code", "\nuse crate::Channel;"),
        ["a.rs:2: `code` must not name `channel` (crate::Channel)"]
    );
    assert_eq!(of("code", "use crate::wire;").len(), 1, "they are of one layer");
    assert_eq!(of("new", "use crate::wire;"), ["a.rs:1: the module `new` is in no layer"]);
}

fn faults(layered: &Layered) -> Vec<String> {
    let directory = root().join(layered.sources);
    let exported = exported(&read(&directory.join("lib.rs")));
    let mut faults = Vec::new();
    let mut seen = BTreeSet::new();
    for file in files(&directory, false) {
        let Some(first) = file.iter().next().and_then(|part| part.to_str()) else { continue };
        let module = first.strip_suffix(".rs").unwrap_or(first).to_owned();
        if module == "lib" {
            continue;
        }
        let shown = format!("{}/{}", layered.sources, file.display());
        let source = read(&directory.join(&file));
        faults.extend(faults_of(layered.layers, &exported, &module, &shown, &source));
        seen.insert(module);
    }
    let gone = layered.layers.concat().into_iter().filter(|module| !seen.contains(*module));
    faults.extend(gone.map(|module| format!("{}: there is no module `{module}`", layered.sources)));
    faults
}

fn faults_of(
    layers: &[&[&str]],
    exported: &BTreeMap<String, String>,
    module: &str,
    file: &str,
    source: &str,
) -> Vec<String> {
    let layer = |module: &str| layers.iter().position(|layer| layer.contains(&module));
    let Some(own) = layer(module) else {
        return vec![format!("{file}:1: the module `{module}` is in no layer")];
    };
    let mut faults = Vec::new();
    for named in named(source) {
        let Some(first) = named.path.first() else { continue };
        // `__private` is in `private.rs`.
        let other = exported.get(first).unwrap_or(first).trim_start_matches("__");
        // What is neither a module nor exported by one is of the root itself.
        let Some(others) = layer(other).filter(|_| other != module) else { continue };
        if others >= own {
            let path = named.path.join("::");
            faults.push(format!("{file}:{}: `{module}` must not name `{other}` (crate::{path})", named.line));
        }
    }
    faults
}

/// The names that a root exports from its modules, and which module each is of.
fn exported(lib: &str) -> BTreeMap<String, String> {
    let rooted = lib.replace("pub use ", "use crate::").replace("crate::crate::", "crate::");
    let paths = named(&rooted).into_iter().map(|named| named.path);
    paths.filter(|path| path.len() > 1).map(|path| (path[path.len() - 1].clone(), path[0].clone())).collect()
}

fn read(file: &Path) -> String {
    fs::read_to_string(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
}
