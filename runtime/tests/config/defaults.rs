//! What is there where little or nothing is set.

use std::time::Duration;

use polywire::config::{Config, Loader, Mode, RaftTransport};

use super::{FOUNDING, file, load};

#[test]
fn the_founding_example_loads_word_for_word() {
    let loaded = file(FOUNDING).load().unwrap();
    assert_eq!(loaded.warnings, [""; 0]);
    let transport = loaded.config.transport;
    assert_eq!(transport.mode, Mode::Dual);
    assert_eq!(transport.grpc.bind_address.to_string(), "0.0.0.0:7001");
    assert_eq!(transport.iroh.home_relay.unwrap().host_str(), Some("relay.iroh.network"));
    let services = transport.iroh.alpn_protocols.iter().map(|name| name.service().as_str());
    assert!(services.eq(["health", "status", "monitoring"]));
    assert_eq!(transport.strategy.raft_transport, RaftTransport::AlwaysGrpc);
}

#[test]
fn nothing_at_all_is_the_default_on_loopback() {
    let config = load(Loader::new());
    assert_eq!(config, Config::default());
    assert_eq!(config.transport.grpc.bind_address.to_string(), "127.0.0.1:7001");
    assert_eq!(config.transport.iroh.socket_addr().to_string(), "127.0.0.1:0");
    assert_eq!(config.http.bind_address.to_string(), "127.0.0.1:7080");
    assert_eq!(config.node.drain_timeout, Duration::from_secs(8));
}

#[test]
fn every_section_may_be_empty() {
    let text = "[node]\n[transport]\n[transport.grpc]\n[transport.iroh]\n\
                [transport.strategy]\n[http]\n[health]\n[log]\n";
    assert_eq!(load(file(text)), Config::default());
}
