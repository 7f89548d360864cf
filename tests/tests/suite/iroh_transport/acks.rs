use polywire::iroh::{Dialer, QuicProfile};
use polywire_tests::{endpoint, node::Node};

use crate::node::ask;

/// A node whose QUIC asks for another frequency of acknowledgements can be made to panic by a peer that is slow.
#[tokio::test(flavor = "multi_thread")]
async fn neither_end_asks_for_another_frequency_of_acknowledgements() {
    let node = Node::start(&[]).await;
    let (id, address) = node.iroh().strip_prefix("iroh://").unwrap().split_once("?addr=").unwrap();
    let address = iroh::EndpointAddr::new(id.parse().unwrap()).with_ip_addr(address.parse().unwrap());
    let own = endpoint::tuned(&QuicProfile::default()).await;
    let peer = Dialer::new(own.clone()).peer(address);
    let client = polywire_services::health::HealthClient::new(peer.clone());
    for _ in 0..20 {
        client.check(ask("")).await.unwrap();
    }
    let stats = peer.connection().await.unwrap().stats();
    assert!(stats.frame_rx.acks + stats.frame_rx.path_acks > 0, "frames are counted: {stats:?}");
    assert_eq!((stats.frame_tx.ack_frequency, stats.frame_rx.ack_frequency), (0, 0));
}
