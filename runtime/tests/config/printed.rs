//! The configuration as it is printed.

use std::{net::Ipv6Addr, time::Duration};

use polywire::config::{Config, RaftTransport};

use super::{FOUNDING, file, load};

#[test]
fn what_is_printed_loads_as_the_same_configuration() {
    for config in [Config::default(), load(file(FOUNDING)), unusual()] {
        let text = config.to_toml().unwrap();
        assert_eq!(load(file(&text)), config, "{text}");
    }
}

pub(super) fn unusual() -> Config {
    let mut config = Config::default();
    config.node.data_dir = "/a \"b\"/\n'c'".into();
    config.node.drain_timeout = Duration::from_millis(90_001);
    config.transport.grpc.tls_enabled = true;
    config.transport.grpc.tls_cert = Some("cert.pem".into());
    config.transport.grpc.tls_key = Some("key.pem".into());
    config.transport.iroh.bind_address = Some(Ipv6Addr::LOCALHOST.into());
    config.transport.strategy.raft_transport = RaftTransport::Adaptive { latency_threshold_ms: 0.5 };
    config
}

#[test]
fn unset_keys_are_printed_as_comments_that_work_once_uncommented() {
    let text = Config::default().to_toml().unwrap();
    let mut uncommented = text.clone();
    for key in ["tls_cert", "tls_key", "home_relay", "bind_address"] {
        let comment = format!("\n# {key} = ");
        assert!(text.contains(&comment), "{key} in {text}");
        uncommented = uncommented.replace(&comment, &format!("\n{key} = "));
    }
    let config = load(file(&uncommented));
    assert!(config.transport.grpc.tls_cert.is_some());
    assert!(config.transport.iroh.home_relay.is_some());
}

#[test]
fn every_key_is_printed_below_its_documentation() {
    let text = Config::default().to_toml().unwrap();
    let lines: Vec<&str> = text.lines().collect();
    let is_key = |line: &str| line.trim_start_matches("# ").contains(" = ");
    let bare: Vec<&&str> = lines
        .windows(2)
        .filter(|pair| is_key(pair[1]) && !pair[1].contains('{') && !pair[0].starts_with('#'))
        .map(|pair| &pair[1])
        .collect();
    assert_eq!(bare, [&""; 0]);
    let sections = lines.iter().filter(|line| line.starts_with('['));
    let transports = ["quic", "unix", "websocket", "memory"].map(|name| format!("[transport.{name}]"));
    assert_eq!(sections.filter(|line| !transports.iter().any(|transport| transport == *line)).count(), 12);
}

/// Every key, as the dotted name and the text that a command line would have.
pub(super) fn leaves(path: &str, table: &toml::Table) -> Vec<(String, String)> {
    let mut all = Vec::new();
    for (name, value) in table {
        let key = format!("{path}.{name}").trim_start_matches('.').to_owned();
        match value {
            toml::Value::Table(inner) => all.extend(leaves(&key, inner)),
            toml::Value::String(text) => all.push((key, text.clone())),
            other => all.push((key, other.to_string())),
        }
    }
    all
}
