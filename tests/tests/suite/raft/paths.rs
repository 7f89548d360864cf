//! Which ways the packets take, and where the members say they are.

use polywire_proto::monitoring::v1::GetClusterHealthRequest;
use polywire_services::monitoring::MonitoringClient;
use polywire_tests::{node::Node, patience::eventually};

use super::cluster::{Cluster, cluster_command};
use crate::node::connect;

#[tokio::test]
async fn the_way_to_each_member_over_iroh_is_told_and_measured() {
    let cluster = Cluster::start(&["--transport.strategy.raft_transport=always_iroh"]).await;
    let leader = cluster.leader().await;
    let monitoring = MonitoringClient::new(connect(cluster.node(leader).grpc()).await);
    for place in (0..3).filter(|place| *place != leader) {
        let name = format!("node-{place}");
        let path = eventually("the member is reached over Iroh", async || {
            let told = monitoring.get_cluster_health(GetClusterHealthRequest {}).await.ok()?;
            told.peers.into_iter().find(|peer| peer.name == name && peer.transport == "iroh")?.path
        })
        .await;
        assert!(!path.relayed && path.relay_url.is_empty(), "{path:?}");
        assert!(cluster.node(place).iroh().ends_with(&format!("addr={}", path.remote)), "{path:?}");
        let round_trip = path.round_trip_us.expect("QUIC measures it");
        assert!((1..1_000_000).contains(&round_trip), "{path:?}");
    }

    let metrics = cluster.node(leader).get("/metrics").await.body;
    let value = |series: &str| {
        let line = metrics.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
        line.unwrap_or_else(|| panic!("no {series} in {metrics}")).parse::<f64>().unwrap()
    };
    assert!(value(r#"polywire_iroh_paths{kind="direct",selected="true"}"#) >= 2.0);
    assert_eq!(value(r#"polywire_iroh_paths{kind="relayed",selected="true"}"#), 0.0);
    let round_trip = |statistic: &str| {
        value(&format!("polywire_iroh_round_trip_seconds{{kind=\"direct\",statistic=\"{statistic}\"}}"))
    };
    assert!(0.0 < round_trip("min"));
    assert!(round_trip("min") <= round_trip("median") && round_trip("median") <= round_trip("max"));
    assert!(value("polywire_iroh_socket_num_conns_opened_total") >= 2.0, "iroh's own");
    assert!(value("process_resident_memory_bytes") > f64::from(1 << 20));
}

#[tokio::test]
async fn members_are_told_the_targets_that_are_advertised() {
    let node = Node::start(&[r#"--cluster.advertise=["grpc://node.example:7001"]"#]).await;
    let status = cluster_command(&["status", "--node", node.grpc(), "--json"]).await;
    let status: serde_json::Value = serde_json::from_str(&status.stdout).unwrap();
    let targets = &status["members"][0]["targets"];
    assert_eq!(*targets, serde_json::json!(["grpc://node.example:7001", node.iroh()]));
}
