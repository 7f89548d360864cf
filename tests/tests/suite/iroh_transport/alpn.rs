use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use polywire::{
    Code, Drain, Router, Status,
    iroh::{ALPN, Alpns, Dialer, ServeOptions, serve},
};
use polywire_tests::{
    endpoint,
    inventory::{GetRequest, InventoryClient, Item, Stock},
};

mod secrets {
    use super::*;

    #[polywire::service(package = "secrets.v1")]
    pub(super) trait Secrets {
        async fn reveal(&self, request: GetRequest) -> Result<Item, Status>;
    }
}

mod newer {
    use super::*;

    #[polywire::service(package = "inventory.v2")]
    pub(super) trait Inventory {
        async fn get(&self, request: GetRequest) -> Result<Item, Status>;
    }
}

#[derive(Default)]
struct Vault(Arc<AtomicUsize>);

impl secrets::Secrets for Vault {
    async fn reveal(&self, _: GetRequest) -> Result<Item, Status> {
        self.0.fetch_add(1, Ordering::SeqCst);
        Ok(Item::named("secret"))
    }
}

struct Second;

impl newer::Inventory for Second {
    async fn get(&self, _: GetRequest) -> Result<Item, Status> {
        Ok(Item::named("second"))
    }
}

/// A server of three services that accepts these ALPNs beside the framework's, and how often its secret was
/// told.
async fn server(alpns: &[&str]) -> (iroh::Endpoint, Arc<AtomicUsize>) {
    let told = Arc::new(AtomicUsize::new(0));
    let router = Router::new()
        .with(Stock::new().server())
        .with(newer::InventoryServer::new(Second))
        .with(secrets::SecretsServer::new(Vault(told.clone())));
    let endpoint = endpoint::plain().await;
    let alpns = Alpns::new(alpns.iter().map(|alpn| alpn.parse().unwrap()));
    let options = ServeOptions { alpns, ..ServeOptions::default() };
    tokio::spawn(serve(endpoint.clone(), router, options, Drain::new()));
    (endpoint, told)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_frameworks_alpn_reaches_every_service_on_one_connection() {
    let (server, _) = server(&["shop/inventory/1"]).await;
    let peer = Dialer::new(endpoint::plain().await).peer(server.addr());
    InventoryClient::new(peer.clone()).get(GetRequest::default()).await.unwrap();
    newer::InventoryClient::new(peer.clone()).get(GetRequest::default()).await.unwrap();
    secrets::SecretsClient::new(peer.clone()).reveal(GetRequest::default()).await.unwrap();
    assert_eq!(peer.connection().await.unwrap().alpn(), ALPN);
}

#[tokio::test(flavor = "multi_thread")]
async fn on_a_services_alpn_only_that_service_of_that_version_answers() {
    let (server, told) = server(&["shop/inventory/1"]).await;
    let peer = Dialer::new(endpoint::plain().await).peer_with_alpns(server.addr(), ["shop/inventory/1"]);
    let item = InventoryClient::new(peer.clone()).get(GetRequest::named("anvil")).await.unwrap();
    assert_eq!(item, Item::named("anvil"));
    let other_version = newer::InventoryClient::new(peer.clone()).get(GetRequest::default()).await;
    let other_service = secrets::SecretsClient::new(peer.clone()).reveal(GetRequest::default()).await;
    for status in [other_version.unwrap_err(), other_service.unwrap_err()] {
        assert_eq!(status.code(), Code::PermissionDenied, "{status}");
        assert!(status.message().contains("shop/inventory/1"), "{status}");
    }
    assert_eq!(told.load(Ordering::SeqCst), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_several_versions_the_highest_that_both_sides_have_wins() {
    let (server, _) = server(&["shop/inventory/1", "shop/inventory/2"]).await;
    let dialer = Dialer::new(endpoint::plain().await);
    for offer in [["shop/inventory/1", "shop/inventory/2"], ["shop/inventory/2", "shop/inventory/1"]] {
        let peer = dialer.peer_with_alpns(server.addr(), offer);
        assert_eq!(peer.connection().await.unwrap().alpn(), b"shop/inventory/2");
        assert_eq!(
            newer::InventoryClient::new(peer).get(GetRequest::default()).await.unwrap(),
            Item::named("second")
        );
    }
    let peer = dialer.peer_with_alpns(server.addr(), ["shop/inventory/3", "shop/inventory/1"]);
    assert_eq!(peer.connection().await.unwrap().alpn(), b"shop/inventory/1");
    InventoryClient::new(peer).get(GetRequest::default()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn peers_without_a_common_alpn_learn_what_each_side_speaks() {
    let (server, _) = server(&["shop/inventory/1"]).await;
    let peer =
        Dialer::new(endpoint::plain().await).peer_with_alpns(server.addr(), ["mill/flour/4", "mill/flour/3"]);
    let status = InventoryClient::new(peer).get(GetRequest::default()).await.unwrap_err();
    assert_eq!(status.code(), Code::Unimplemented, "{status}");
    assert!(status.is_not_processed());
    for name in ["mill/flour/4", "mill/flour/3", "polywire/1", "shop/inventory/1"] {
        assert!(status.message().contains(name), "{name} is not in: {status}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_peer_that_is_none_of_ours_is_told_apart_from_one_that_is_gone() {
    let stranger = endpoint::builder().alpns(vec![b"somebody/else".to_vec()]).bind().await.unwrap();
    let accepting = stranger.clone();
    tokio::spawn(async move {
        while let Some(incoming) = accepting.accept().await {
            // That handshake fails, as it should.
            let _ = incoming.await;
        }
    });
    let client = InventoryClient::new(Dialer::new(endpoint::plain().await).peer(stranger.addr()));
    let status = client.get(GetRequest::default()).await.unwrap_err();
    assert_eq!(status.code(), Code::Unimplemented, "{status}");
    assert!(status.message().contains("polywire/1"), "{status}");
}
