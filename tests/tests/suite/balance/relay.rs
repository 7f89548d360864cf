//! A node behind a relay, and a link that lets no UDP through.

use std::{net::SocketAddr, time::Duration};

use iroh_relay::server::{RelayConfig, Server, ServerConfig};
use polywire::{Channel, ConnectOptions, Explanation, Target};
use polywire_proto::grpc::health::v1::HealthCheckRequest;
use polywire_services::health::HealthClient;
use polywire_tests::{
    lab::{Conditions, Direction, Lab, Namespace},
    node::Node,
    patience::{eventually, within},
};

const NO_UDP: fn() -> Conditions = || Conditions { udp_dropped: true, ..Conditions::default() };

/// A relay on this side, for as long as the lab is there.
async fn relay_on(side: &Namespace) -> String {
    let mut config = ServerConfig::default();
    config.relay = Some(RelayConfig::new(SocketAddr::from((side.address(), 0))));
    let (tell, told) = tokio::sync::oneshot::channel();
    drop(side.spawn(async move {
        let server = Server::spawn(config).await.unwrap();
        tell.send(server.http_addr().unwrap()).unwrap();
        std::future::pending::<()>().await;
    }));
    format!("http://{}/", within(told).await.unwrap())
}

/// A node that has this relay.
async fn node_behind(relay: &str, lab: &Lab) -> Node {
    Node::start_in(lab.far(), &[&format!("--transport.iroh.home_relay={relay}")]).await
}

async fn ask(client: &HealthClient) {
    client.check(HealthCheckRequest::default()).timeout(Duration::from_secs(5)).await.unwrap();
}

/// The relay that Iroh's packets go through, of a channel whose first target is over Iroh.
fn relay_of(told: &Explanation) -> Option<&str> {
    told.subchannels[0].path.as_ref()?.relay.as_deref()
}

#[tokio::test]
async fn where_no_udp_gets_through_a_channel_goes_through_a_relay_and_directly_once_it_can() {
    let Some(lab) = Lab::or_skip().await else { return };
    let relay = relay_on(lab.far()).await;
    let node = node_behind(&relay, &lab).await;
    assert!(node.iroh().contains(&format!("relay={relay}")), "{}", node.iroh());
    lab.set(NO_UDP());
    let targets = [node.iroh().to_owned(), node.grpc().to_owned()];
    let (tell, mut told) = tokio::sync::mpsc::unbounded_channel();
    let asking = lab.near().spawn(async move {
        let channel = Channel::builder().targets(targets).connect().await.unwrap();
        let client = HealthClient::new(channel.clone());
        while !tell.is_closed() {
            ask(&client).await;
            let _ = tell.send(channel.explain().unwrap());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    });
    let relayed = eventually("Iroh is taken, through the relay", async || {
        let explained = told.recv().await.unwrap();
        (explained.services[0].taken == "iroh").then_some(explained)
    })
    .await;
    assert_eq!(relay_of(&relayed), Some(relay.as_str()), "{relayed}");
    assert!(relayed.to_string().contains(&format!("through the relay {relay}")), "{relayed}");
    assert!(lab.counters(Direction::ToFar).dropped.udp > 0, "the direct path was tried");

    lab.set(Conditions::default());
    let direct = eventually("it is direct", async || {
        let explained = told.recv().await.unwrap();
        assert_eq!(explained.services[0].taken, "iroh", "{explained}");
        relay_of(&explained).is_none().then_some(explained)
    })
    .await;
    let path = direct.subchannels[0].path.clone().unwrap();
    assert!(path.remote.unwrap().starts_with(&lab.far().address().to_string()), "{direct}");
    assert!(!direct.to_string().contains("relay "), "{direct}");
    drop(told);
    within(asking).await.unwrap();
}

#[tokio::test]
async fn a_target_that_names_a_relay_and_no_address_leads_to_the_node() {
    let Some(lab) = Lab::or_skip().await else { return };
    let relay = relay_on(lab.far()).await;
    let node = node_behind(&relay, &lab).await;
    lab.set(NO_UDP());
    let target = format!("iroh://{}?relay={relay}", node.targets.node_id);
    let (tell, told) = tokio::sync::oneshot::channel();
    let calling = lab.near().spawn(async move {
        let target: Target = target.parse().unwrap();
        let connected = target.open(&ConnectOptions::new()).await.unwrap();
        let client = HealthClient::new(connected.channel.clone());
        ask(&client).await;
        tell.send(connected.path.now()).unwrap();
        loop {
            ask(&client).await;
            if let Some(path) = connected.path.now().filter(|path| path.relay.is_none()) {
                return path;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    });
    assert_eq!(within(told).await.unwrap().unwrap().relay, Some(relay));
    // Through the relay each side has told the other where it is.
    lab.set(Conditions::default());
    assert!(within(calling).await.unwrap().remote.is_some());
}
