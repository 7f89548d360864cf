//! Authorities of clients that are replaced while a node serves.

use std::fs;

use polywire::{Status, Streaming};
use polywire_proto::grpc::health::v1::HealthCheckResponse;
use polywire_services::health::HealthClient;
use polywire_tests::{
    node::Node,
    patience::{eventually, within},
    pki::Pki,
};
use rustix::process::Signal;
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint, Identity};

use super::{Authority, Shown, dns};
use crate::node::ask;

/// A connection of its own that shows this.
fn channel(node: &Node, pki: &Pki, shown: &Shown) -> Channel {
    let trusted = Certificate::from_pem(fs::read_to_string(&pki.authority).unwrap());
    let identity = Identity::from_pem(&shown.certificate, &shown.key);
    let tls = ClientTlsConfig::new().ca_certificate(trusted).identity(identity);
    let address = node.grpc().replace("grpcs://", "https://");
    Endpoint::from_shared(address).unwrap().tls_config(tls).unwrap().connect_lazy()
}

async fn check(channel: Channel) -> Result<(), Status> {
    HealthClient::new(channel).check(ask("")).await.map(drop)
}

async fn watch(channel: Channel) -> Streaming<HealthCheckResponse> {
    let mut watch = HealthClient::new(channel).watch(ask("")).await.unwrap();
    within(watch.message()).await.unwrap().unwrap();
    watch
}

#[tokio::test(flavor = "multi_thread")]
async fn replaced_authorities_count_for_new_connections_and_bad_ones_are_refused() {
    let directory = tempfile::tempdir().unwrap();
    let pki = Pki::new(directory.path());
    let file = directory.path().join("client-ca.pem");
    let (old, new) = (Authority::new("old"), Authority::new("new"));
    old.write(&file);
    let node = Node::start(&[
        "--transport.grpc.tls_enabled=true",
        &format!("--transport.grpc.tls_cert={}", pki.certificate.display()),
        &format!("--transport.grpc.tls_key={}", pki.key.display()),
        &format!("--transport.grpc.client_ca={}", file.display()),
    ])
    .await;
    let (by_old, by_new) = (old.sign(dns("a.example")), new.sign(dns("b.example")));
    let mut flight = watch(channel(&node, &pki, &by_old)).await;
    check(channel(&node, &pki, &by_new)).await.unwrap_err();

    fs::write(&file, "no certificate").unwrap();
    node.signal(Signal::HUP);
    eventually("the bad file is refused", async || {
        let page = node.get("/readyz?verbose").await.body;
        page.contains("note: certificate of grpc: the changed one is refused").then_some(())
    })
    .await;
    check(channel(&node, &pki, &by_old)).await.expect("the old authority stays");

    new.write(&file);
    eventually("the new authority counts", async || check(channel(&node, &pki, &by_new)).await.ok()).await;
    check(channel(&node, &pki, &by_old)).await.unwrap_err();
    let page = node.get("/readyz?verbose").await.body;
    assert!(!page.contains("note: certificate"), "{page}");
    node.signal(Signal::TERM);
    assert!(
        within(flight.message()).await.unwrap().is_some(),
        "what was in flight is told that the node ends"
    );
    let log = node.ended().await.stderr;
    assert!(log.contains("the client's certificate is neither of its own Ed25519 key"), "{log}");
}
