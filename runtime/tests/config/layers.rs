//! The layers: which wins, and how each names a key.

use std::time::Duration;

use polywire::config::{Loader, Origin, RaftTransport};

use super::{
    file, load,
    printed::{leaves, unusual},
    report,
};

#[test]
fn flags_win_over_the_environment_which_wins_over_the_file() {
    let variable = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let loaded = file("[log]\nfilter = 'file'\nformat = 'json'\n[node]\ndata_dir = '/file'")
        .flag("log.filter", "flag")
        .env([
            variable("POLYWIRE__LOG__FILTER", "env"),
            variable("polywire__node__data_dir", "/env"),
            variable("LOG__FORMAT", "human"),
        ])
        .load()
        .unwrap();
    assert_eq!(loaded.config.log.filter, "flag");
    assert_eq!(loaded.config.node.data_dir.to_str(), Some("/env"));
    assert_eq!(loaded.origin("log.filter"), Origin::Flag("log.filter".to_owned()));
    assert_eq!(loaded.origin("node.data_dir"), Origin::Env("polywire__node__data_dir".to_owned()));
    assert_eq!(loaded.origin("log.format").to_string(), "node.toml:3:1");
    assert_eq!(loaded.origin("http.enabled"), Origin::Default);
}

#[test]
fn text_becomes_the_type_of_its_key() {
    let config = load(
        Loader::new()
            .flag("transport.grpc.bind_address", "127.0.0.1:0")
            .flag("transport.grpc.max_message_size", "1024")
            .flag("transport.iroh.enabled", "false")
            .flag("transport.iroh.connect_timeout", "250ms")
            .flag("transport.iroh.alpn_protocols", "blixard/health/2,blixard/health/1")
            .flag("transport.strategy.raft_transport", "{ adaptive = { latency_threshold_ms = 50 } }"),
    );
    assert_eq!(config.transport.grpc.bind_address.port(), 0);
    assert_eq!(config.transport.grpc.max_message_size, 1024);
    assert!(!config.transport.iroh.enabled);
    assert_eq!(config.transport.iroh.connect_timeout, Duration::from_millis(250));
    assert_eq!(config.transport.iroh.alpn_protocols[0].major(), 2);
    let adaptive = RaftTransport::Adaptive { latency_threshold_ms: 50.0 };
    assert_eq!(config.transport.strategy.raft_transport, adaptive);
}

#[test]
fn two_spellings_of_one_variable_are_refused() {
    let variable = |name: &str| (name.to_owned(), "dual".to_owned());
    let names = ["POLYWIRE__TRANSPORT__MODE", "POLYWIRE__transport__mode"];
    let lines = report(Loader::new().env(names.map(variable)));
    assert!(lines[0].contains("already set by POLYWIRE__TRANSPORT__MODE"), "{lines:?}");
}

#[test]
fn every_key_can_be_set_by_a_flag_and_by_the_environment() {
    let printed: toml::Table = unusual().to_toml().unwrap().parse().unwrap();
    let keys = leaves("", &printed);
    assert!(keys.len() > 35, "{keys:?}");
    let flags = keys.iter().fold(Loader::new(), |loader, (key, text)| loader.flag(key, text));
    assert_eq!(load(flags), unusual());
    let variables = keys.iter().map(|(key, text)| {
        let name = format!("POLYWIRE__{}", key.replace('.', "__").to_uppercase());
        (name, text.clone())
    });
    assert_eq!(load(Loader::new().env(variables)), unusual());
}

#[test]
fn a_key_below_an_unknown_one_or_below_a_value_is_unknown() {
    let key = "transport.strategy.raft_transport.adaptive.latency";
    let lines = report(Loader::new().flag(key, "1"));
    assert!(lines[0].contains("unknown field `latency`"), "{lines:?}");
    for key in ["", "transport..mode", "pigeons.bind_address", "transport.pigeons.bind_address"] {
        let lines = report(Loader::new().flag(key, "1"));
        assert_eq!(lines.len(), 1, "{lines:?}");
        assert!(lines[0].contains("unknown"), "{lines:?}");
    }
}

#[test]
fn a_section_cannot_be_set_to_a_text() {
    assert_eq!(
        report(Loader::new().flag("transport", "grpc")),
        ["--transport: transport: expected a section [transport], found \"grpc\""]
    );
    let config = load(Loader::new().flag("http", "{ enabled = false }"));
    assert!(!config.http.enabled);
}

#[test]
fn values_that_are_not_unicode_are_paths_or_errors() {
    use std::{ffi::OsString, os::unix::ffi::OsStringExt as _};
    let odd = || OsString::from_vec(b"a\xff".to_vec());
    let config = load(
        Loader::new()
            .flag("node.data_dir", odd())
            .flag("transport.grpc.tls_cert", odd())
            .flag("transport.grpc.tls_key", odd()),
    );
    assert_eq!(config.node.data_dir.as_os_str(), odd());
    assert_eq!(config.transport.grpc.tls_key.as_ref().map(|path| path.as_os_str().to_owned()), Some(odd()));
    let again = load(file(&config.to_toml().unwrap()));
    assert_eq!(again.node.data_dir, config.node.data_dir);
    let lines = report(Loader::new().env([("POLYWIRE__HTTP__ENABLED".to_owned(), odd())]));
    assert_eq!(lines, ["POLYWIRE__HTTP__ENABLED: http.enabled: invalid Unicode; expected true or false"]);
}
