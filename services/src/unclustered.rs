//! The configuration keys of a cluster, in a node without one.

use polywire::{
    ComponentError,
    config::{Cluster, Config, Strategy},
};

/// Warns about keys that have no effect in this node.
///
/// # Errors
/// Where the configuration asks for a cluster: a node that went on alone would look like a member of it.
pub(crate) fn check(config: &Config) -> Result<(), ComponentError> {
    for key in without_effect(config) {
        tracing::warn!(key, "the key has no effect: this node has no cluster");
    }
    let peers = config.cluster.peers.len();
    match peers {
        0 => Ok(()),
        _ => Err(format!(
            "invalid cluster.peers: {peers} set, and this node has no cluster; expected none, or a program that adds \
             the cluster: polywire_services::node().with(polywire_services::cluster())"
        )
        .into()),
    }
}

/// The keys that are set and that only a cluster reads. The directory reads `cluster.advertise`, so it is not among them.
fn without_effect(config: &Config) -> Vec<&'static str> {
    let (cluster, strategy) = (Cluster::default(), Strategy::default());
    let keys = [
        ("cluster.heartbeat_interval", config.cluster.heartbeat_interval != cluster.heartbeat_interval),
        ("cluster.election_timeout", config.cluster.election_timeout != cluster.election_timeout),
        (
            "transport.strategy.raft_transport",
            config.transport.strategy.raft_transport != strategy.raft_transport,
        ),
    ];
    keys.into_iter().filter(|(_, is_set)| *is_set).map(|(key, _)| key).collect()
}

#[cfg(test)]
mod tests {
    use polywire::config::Loader;

    use super::*;

    fn config(text: &str) -> Config {
        Loader::new().text("node.toml", text).load().unwrap().config
    }

    #[test]
    fn a_node_without_a_cluster_refuses_peers_and_says_what_was_expected() {
        let error = check(&config("[cluster]\npeers = [\"grpc://192.0.2.1:7001\"]")).unwrap_err().to_string();
        assert!(error.starts_with("invalid cluster.peers: 1 set, and this node has no cluster"), "{error}");
        assert!(error.contains("node().with(polywire_services::cluster())"), "{error}");
        check(&Config::default()).unwrap();
    }

    #[test]
    fn keys_that_only_a_cluster_reads_are_named_and_what_the_directory_tells_is_not() {
        let text = "[cluster]\nheartbeat_interval = \"50ms\"\nadvertise = [\"grpc://node.example:7001\"]\n\
                    [transport.strategy]\nraft_transport = \"always_iroh\"";
        let named = without_effect(&config(text));
        assert_eq!(named, ["cluster.heartbeat_interval", "transport.strategy.raft_transport"]);
        assert!(without_effect(&Config::default()).is_empty());
    }
}
