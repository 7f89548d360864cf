//! Three nodes over gRPC with TLS, by certificates of an authority of the cluster's own.

use polywire::{Channel, ConnectOptions, Target};
use polywire_proto::{
    cluster::v1::{JoinRequest, StatusRequest, StatusResponse},
    kv::v1::{GetRequest, PutRequest},
};
use polywire_services::raft::{ClusterClient, KvClient};
use polywire_tests::{
    node::{Node, run},
    patience::eventually,
    pki::Pki,
};

async fn channel(node: &Node, pki: &Pki) -> Channel {
    let options = ConnectOptions::new().ca_file(&pki.authority);
    node.grpc().parse::<Target>().unwrap().connect(&options).await.unwrap()
}

async fn status(node: &Node, pki: &Pki) -> Option<StatusResponse> {
    ClusterClient::new(channel(node, pki).await).status(StatusRequest::default()).await.ok()
}

fn flags(certificate: &Pki, trusted: &Pki) -> Vec<String> {
    vec![
        // gRPC alone, so that nothing else can carry the cluster.
        "--transport.mode=grpc".to_owned(),
        "--transport.grpc.tls_enabled=true".to_owned(),
        format!("--transport.grpc.tls_cert={}", certificate.certificate.display()),
        format!("--transport.grpc.tls_key={}", certificate.key.display()),
        format!("--cluster.ca={}", trusted.authority.display()),
    ]
}

async fn start(flags: &[String]) -> Node {
    Node::start(&Vec::from_iter(flags.iter().map(String::as_str))).await
}

/// Returns once these nodes have one leader and so many voters.
async fn agreed(nodes: &[&Node], voters: usize, pki: &Pki) -> u64 {
    eventually("they follow one leader", async || {
        let mut leaders = Vec::new();
        for node in nodes {
            let status = status(node, pki).await?;
            let voting = status.members.iter().filter(|member| member.voter).count();
            leaders.push(status.leader_id.filter(|_| voting == voters)?);
        }
        leaders.iter().all(|leader| *leader == leaders[0]).then_some(leaders[0])
    })
    .await
}

#[tokio::test]
async fn three_nodes_by_certificates_of_the_clusters_authority_join_fail_and_come_back() {
    let directories = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let [own, other] = directories.each_ref().map(|directory| Pki::new(directory.path()));
    let mut nodes = Vec::new();
    for _ in 0..3 {
        nodes.push(start(&flags(&own, &own)).await);
    }
    assert!(nodes[0].grpc().starts_with("grpcs://"), "{}", nodes[0].grpc());
    let seed = || JoinRequest { seed: nodes[0].grpc().to_owned(), ..JoinRequest::default() };
    ClusterClient::new(channel(&nodes[1], &own).await).join(seed()).await.unwrap();
    let (ca, seed) = (own.authority.display().to_string(), nodes[0].grpc());
    let joined = run("/".as_ref(), &["cluster", "join", seed, "--node", nodes[2].grpc(), "--ca", &ca]).await;
    assert_eq!(joined.code, 0, "{}", joined.stderr);
    let leader = agreed(&[&nodes[0], &nodes[1], &nodes[2]], 3, &own).await;

    let mut ids = Vec::new();
    for node in &nodes {
        ids.push(status(node, &own).await.unwrap().this.unwrap().id);
    }
    let leading = nodes.remove(ids.iter().position(|id| *id == leader).unwrap());
    let gone = leading.kill().await;
    let put = PutRequest { key: "a".to_owned(), value: "meanwhile".into(), ..PutRequest::default() };
    KvClient::new(channel(&nodes[0], &own).await).put(put).await.unwrap();
    nodes.push(gone.start().await);
    agreed(&[&nodes[0], &nodes[1], &nodes[2]], 3, &own).await;
    let get = GetRequest { key: "a".to_owned(), ..GetRequest::default() };
    let kv = KvClient::new(channel(&nodes[2], &own).await);
    assert_eq!(kv.get(get).await.unwrap().item.unwrap().value, "meanwhile");

    // A node whose certificate another authority has signed, and one that does not trust the cluster's.
    for (shows, trusts) in [(&other, &own), (&own, &other)] {
        let stranger = start(&flags(shows, trusts)).await;
        let client = ClusterClient::new(channel(&stranger, shows).await);
        let seed = JoinRequest { seed: nodes[0].grpc().to_owned(), ..JoinRequest::default() };
        let refused = client.join(seed).await.unwrap_err();
        eprintln!("{refused}");
        assert_eq!(status(&nodes[0], &own).await.unwrap().members.len(), 3);
        assert_eq!(status(&stranger, shows).await.unwrap().members.len(), 1);
    }
}
