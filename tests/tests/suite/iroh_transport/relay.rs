//! A relay over https, under a certificate authority of its own.

use std::{net::SocketAddr, path::Path, sync::Arc};

use iroh_relay::server::{CertConfig, RelayConfig, Server, ServerConfig, TlsConfig};
use polywire::{ConnectOptions, Status, Target, transport::NetworkPath};
use polywire_proto::grpc::health::v1::HealthCheckRequest;
use polywire_services::health::HealthClient;
use polywire_tests::{
    node::{Node, run},
    patience::{eventually, within},
    pki::Pki,
};
use tokio_rustls::rustls::{
    self,
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
};

const LOOPBACK: [u8; 4] = [127, 0, 0, 1];

/// A relay under this certificate, and its URL.
async fn relay(pki: &Pki) -> (Server, String) {
    let chain = vec![CertificateDer::from_pem_file(&pki.certificate).unwrap()];
    let key = PrivateKeyDer::from_pem_file(&pki.key).unwrap();
    let tls = rustls::ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .unwrap();
    let any = SocketAddr::from((LOOPBACK, 0));
    let mut relay = RelayConfig::new(any);
    relay.tls = Some(TlsConfig::new(any, CertConfig::Manual { server_config: tls }));
    let mut config = ServerConfig::default();
    config.relay = Some(relay);
    let server = Server::spawn(config).await.unwrap();
    let url = format!("https://127.0.0.1:{}/", server.https_addr().unwrap().port());
    (server, url)
}

/// A node that has this relay, and trusts this authority for it.
async fn node(relay: &str, authority: &Path) -> Node {
    Node::start(&[
        &format!("--transport.iroh.home_relay={relay}"),
        &format!("--transport.iroh.relay_ca_file={}", authority.display()),
        "--transport.iroh.bind_address=127.0.0.1",
    ])
    .await
}

/// A call of the node at this target that nothing but the relay leads to; the way that it took.
async fn ask(target: &str, options: &ConnectOptions) -> Result<NetworkPath, Status> {
    let target: Target = target.parse().unwrap();
    let connected = target.open(options).await?;
    HealthClient::new(connected.channel.clone()).check(HealthCheckRequest::default()).await?;
    Ok(connected.path.now().unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_relay_over_https_with_an_authority_of_its_own_leads_to_the_node() {
    let directory = tempfile::tempdir().unwrap();
    let pki = Pki::new(directory.path());
    let (_relay, url) = within(relay(&pki)).await;
    let node = node(&url, &pki.authority).await;
    let target = format!("iroh://{}?relay={url}", node.targets.node_id);
    let trusting = ConnectOptions::new().ca_file(&pki.authority);
    // The node has started and may not have reached its relay yet.
    eventually("the relay leads to the node", async || ask(&target, &trusting).await.ok()).await;
    let refused = ask(&target, &ConnectOptions::new()).await.unwrap_err();
    assert_eq!(refused.code(), polywire::Code::Unavailable, "the public authorities do not know it");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_authority_that_cannot_be_read_is_refused_at_both_ends() {
    let directory = tempfile::tempdir().unwrap();
    let missing = directory.path().join("missing.pem");
    let authority = format!("--transport.iroh.relay_ca_file={}", missing.display());
    let (grpc, http) = ("--transport.grpc.bind_address=127.0.0.1:0", "--http.bind_address=127.0.0.1:0");
    let finished = run(directory.path(), &["serve", grpc, http, &authority]).await;
    assert_ne!(finished.code, 0);
    for expected in ["transport.iroh.relay_ca_file", "missing.pem"] {
        assert!(finished.stderr.contains(expected), "{}", finished.stderr);
    }
    let id = "ae58ff8833241ac82d6ff7611046ed67b5072d142c588d0063e942d9a75502b6";
    let target = format!("iroh://{id}?relay=https://127.0.0.1:1/");
    let refused = ask(&target, &ConnectOptions::new().ca_file(missing)).await.unwrap_err();
    assert!(refused.message().contains("missing.pem"), "{refused}");
}
