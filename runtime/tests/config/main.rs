//! The configuration as its users meet it: layers in, a configuration or one report out.

#![cfg(feature = "node")]

mod defaults;
mod effects;
mod layers;
mod lists;
mod printed;
mod problems;
mod random;
mod strategy;

use polywire::config::{Config, Loader};

/// Word for word the example of the project's founding document.
const FOUNDING: &str = r#"[transport]
mode = "dual"

[transport.grpc]
bind_address = "0.0.0.0:7001"
max_message_size = 4194304
tls_enabled = false

[transport.iroh]
enabled = true
home_relay = "https://relay.iroh.network"
discovery_port = 0
alpn_protocols = ["blixard/health/1", "blixard/status/1", "blixard/monitoring/1"]

[transport.strategy]
prefer_iroh_for = ["health", "status", "monitoring"]
raft_transport = "always_grpc"
fallback_to_grpc = true
"#;

fn file(text: &str) -> Loader {
    Loader::new().text("node.toml", text)
}

fn report(loader: Loader) -> Vec<String> {
    let error = loader.load().expect_err("this configuration is wrong");
    error.to_string().lines().map(str::to_owned).collect()
}

fn load(loader: Loader) -> Config {
    loader.load().unwrap_or_else(|error| panic!("{error}")).config
}
