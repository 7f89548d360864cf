use polywire::{Code, ConnectOptions, Status, Target};
use polywire_tests::{
    inventory::{GetRequest, InventoryClient},
    pki::Pki,
};

use super::{Authority, Files, NODE, Server, key_of};

async fn identity(target: &str, options: &ConnectOptions) -> Result<String, Status> {
    let target: Target = target.parse().unwrap();
    let client = InventoryClient::new(target.connect(options).await?);
    client.get(GetRequest::default()).await.map(|item| item.name)
}

fn anonymous() -> ConnectOptions {
    ConnectOptions::new()
}

const TRANSPORTS: [&str; 3] = ["grpc", "quic", "websocket"];

#[tokio::test(flavor = "multi_thread")]
async fn two_nodes_know_each_other_by_their_keys_alone() {
    for transport in TRANSPORTS {
        let server = Server::start(transport, Files::default()).await;
        let key = key_of(NODE);
        assert!(server.target.ends_with(&key.replace("key:", "?key=")), "{}", server.target);
        let named = identity(&server.target, &anonymous().secret_key([5; 32])).await.unwrap();
        assert_eq!(named, key_of([5; 32]), "{transport}");
        assert_eq!(identity(&server.target, &anonymous()).await.unwrap(), "none", "{transport}");

        let wrong = server.target.replace(key.trim_start_matches("key:"), &"0a".repeat(32));
        let refused = identity(&wrong, &anonymous().secret_key([5; 32])).await.unwrap_err();
        assert_eq!(refused.code(), Code::Unavailable, "{refused}");
        assert!(refused.is_not_processed(), "{refused}");
        assert!(refused.message().contains("another key than the one in the target"), "{refused}");
        let unpinned = server.target.split('?').next().unwrap();
        let refused = identity(unpinned, &anonymous()).await.unwrap_err();
        assert_eq!(refused.code(), Code::Unavailable, "{refused}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn under_a_certificate_callers_prove_their_keys_too() {
    let directory = tempfile::tempdir().unwrap();
    let pki = Pki::new(directory.path());
    let client_ca = directory.path().join("client-ca.pem");
    Authority::new("clients").write(&client_ca);
    for client_ca in [None, Some(client_ca)] {
        for transport in TRANSPORTS {
            let pair = Some((pki.certificate.clone(), pki.key.clone()));
            let server = Server::start(transport, Files { pair, client_ca: client_ca.clone() }).await;
            assert!(!server.target.contains("key="), "{}", server.target);
            let trusting = anonymous().ca_file(&pki.authority);
            assert_eq!(identity(&server.target, &trusting).await.unwrap(), "none", "{transport}");
            let named = identity(&server.target, &trusting.secret_key([5; 32])).await.unwrap();
            assert_eq!(named, key_of([5; 32]), "{transport}");
            let pinned = format!("{}?{}", server.target, key_of(NODE).replace("key:", "key="));
            let refused = identity(&pinned, &anonymous()).await.unwrap_err();
            assert!(refused.message().contains("expected a target without a key"), "{transport}: {refused}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_others_can_read_is_refused_with_its_file() {
    use std::os::unix::fs::PermissionsExt as _;

    use polywire::transport::{BindContext, Transport};

    let directory = tempfile::tempdir().unwrap();
    let pki = Pki::new(directory.path());
    std::fs::set_permissions(&pki.key, std::fs::Permissions::from_mode(0o644)).unwrap();
    let config = polywire::quic::Config {
        tls_cert: Some(pki.certificate),
        tls_key: Some(pki.key),
        ..Default::default()
    };
    let node = BindContext::new(NODE, polywire::Router::new());
    let refused = polywire::quic::Quic::default().bind(config, node).await.unwrap_err().to_string();
    assert!(refused.contains("key.pem is readable by others (mode 0644); expected mode 0600"), "{refused}");
}
