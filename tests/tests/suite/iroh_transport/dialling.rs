use std::{
    net::UdpSocket,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use iroh::{EndpointAddr, SecretKey, TransportAddr};
use polywire::{
    Code, Drain,
    iroh::{Dialer, QuicProfile, ServeOptions, serve},
    transport::ConnectionGauge,
};
use polywire_tests::{
    endpoint,
    inventory::{GetRequest, InventoryClient, Item, Stock},
    patience::{eventually, settled, within},
};
use tokio::task::JoinSet;

/// Counts what is accepted and never what ends.
#[derive(Default)]
struct Accepted(AtomicUsize);

impl ConnectionGauge for Accepted {
    fn opened(&self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }

    fn closed(&self) {}
}

fn counting(accepted: &Arc<Accepted>) -> ServeOptions {
    ServeOptions { gauge: Some(accepted.clone()), ..ServeOptions::default() }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_racing_calls_dial_once() {
    let accepted = Arc::new(Accepted::default());
    let server = endpoint::plain().await;
    tokio::spawn(serve(server.clone(), Stock::new().server(), counting(&accepted), Drain::new()));
    let dialer = Dialer::new(endpoint::plain().await);
    let mut calls = JoinSet::new();
    for _ in 0..100 {
        // Each from a peer of its own: the pool is the dialler's.
        let client = InventoryClient::new(dialer.peer(server.addr()));
        calls.spawn(client.get(GetRequest::named("anvil")).into_future());
    }
    while let Some(call) = calls.join_next().await {
        assert_eq!(call.unwrap().unwrap(), Item::named("anvil"));
    }
    assert_eq!(accepted.0.load(Ordering::SeqCst), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn giving_up_the_first_of_the_racing_calls_does_not_fail_the_others() {
    let server = endpoint::plain().await;
    tokio::spawn(serve(server.clone(), Stock::new().server(), ServeOptions::default(), Drain::new()));
    let client = InventoryClient::new(Dialer::new(endpoint::plain().await).peer(server.addr()));
    let mut first = Box::pin(client.get(GetRequest::default()).into_future());
    // Polled once, it has begun to dial.
    assert!(futures_util::poll!(&mut first).is_pending());
    let second = tokio::spawn(client.get(GetRequest::named("second")).into_future());
    drop(first);
    assert_eq!(within(second).await.unwrap().unwrap(), Item::named("second"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_died_and_came_back_is_dialled_again() {
    let key = SecretKey::generate();
    let first = endpoint::builder().secret_key(key.clone()).bind().await.unwrap();
    let address = first.addr();
    let port = first.bound_sockets()[0];
    let serving =
        tokio::spawn(serve(first.clone(), Stock::new().server(), ServeOptions::default(), Drain::new()));
    let client = InventoryClient::new(Dialer::new(endpoint::plain().await).peer(address));
    client.get(GetRequest::default()).await.unwrap();

    serving.abort();
    first.close().await;
    drop(first);
    let status = client.get(GetRequest::default()).await.unwrap_err();
    assert_eq!(status.code(), Code::Unavailable, "{status}");

    let second = endpoint::revenant(key, &port.to_string()).await;
    tokio::spawn(serve(second, Stock::new().server(), ServeOptions::default(), Drain::new()));
    assert_eq!(
        within(client.get(GetRequest::named("back")).into_future()).await.unwrap(),
        Item::named("back")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_on_a_connection_that_died_unnoticed_is_made_on_a_new_one() {
    let server = endpoint::plain().await;
    let accepted = Arc::new(Accepted::default());
    tokio::spawn(serve(server.clone(), Stock::new().server(), counting(&accepted), Drain::new()));
    let peer = Dialer::new(endpoint::plain().await).peer(server.addr());
    let client = InventoryClient::new(peer.clone());
    client.get(GetRequest::default()).await.unwrap();
    peer.connection().await.unwrap().close(0u8.into(), b"as if it had been lost");
    client.get(GetRequest::default()).await.unwrap();
    assert_eq!(accepted.0.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn a_dead_address_costs_the_configured_connect_timeout_and_the_error_says_so() {
    const TIMEOUT: Duration = Duration::from_millis(700);
    // Bound, so that no ICMP message ends it early; and nothing answers.
    let silent = UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = EndpointAddr::from_parts(
        SecretKey::generate().public(),
        [TransportAddr::Ip(silent.local_addr().unwrap())],
    );
    let dialer = Dialer::new(endpoint::plain().await).connect_timeout(TIMEOUT);
    let client = InventoryClient::new(dialer.peer(address));
    let begun = Instant::now();
    let status = client.get(GetRequest::default()).await.unwrap_err();
    let took = begun.elapsed();
    assert_eq!(status.code(), Code::Unavailable, "{status}");
    assert!(status.message().contains("700ms"), "{status}");
    assert!(status.is_not_processed());
    assert!(took >= TIMEOUT && took < TIMEOUT * 5, "{took:?}");
}

#[tokio::test]
async fn a_call_may_have_less_time_than_a_dial() {
    let silent = UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = EndpointAddr::from_parts(
        SecretKey::generate().public(),
        [TransportAddr::Ip(silent.local_addr().unwrap())],
    );
    let client = InventoryClient::new(Dialer::new(endpoint::plain().await).peer(address));
    let call = client.get(GetRequest::default()).timeout(Duration::from_millis(100));
    let status = call.await.unwrap_err();
    assert_eq!(status.code(), Code::DeadlineExceeded, "{status}");
}

#[tokio::test]
async fn a_key_without_an_address_is_not_waited_for() {
    let client =
        InventoryClient::new(Dialer::new(endpoint::plain().await).peer(SecretKey::generate().public()));
    let status = client.get(GetRequest::default()).await.unwrap_err();
    assert_eq!(status.code(), Code::Unavailable, "{status}");
    assert!(status.message().contains("address") && status.is_not_processed(), "{status}");
}

#[tokio::test]
async fn calling_oneself_works_and_says_who_calls() {
    let own = endpoint::plain().await;
    let stock = Stock::new().on_get(async |arrival, _| {
        Ok(Item::named(arrival.caller.and_then(|caller| caller.identity).unwrap().to_string()))
    });
    let dialer = Dialer::new(own.clone()).own_service(stock.server());
    let client = InventoryClient::new(dialer.peer(own.addr()));
    assert_eq!(client.get(GetRequest::default()).await.unwrap().name, format!("key:{}", own.id()));

    let clueless = InventoryClient::new(Dialer::new(own.clone()).peer(own.addr()));
    let status = clueless.get(GetRequest::default()).await.unwrap_err();
    assert_eq!(status.code(), Code::FailedPrecondition, "{status}");
    assert!(status.is_not_processed());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_handler_knows_its_caller_by_key() {
    let server = endpoint::plain().await;
    let stock = Stock::new().on_get(async |arrival, _| {
        let caller = arrival.caller.unwrap();
        assert_eq!(caller.transport, "iroh");
        Ok(Item::named(caller.identity.unwrap().to_string()))
    });
    tokio::spawn(serve(server.clone(), stock.server(), ServeOptions::default(), Drain::new()));
    let own = endpoint::plain().await;
    let client = InventoryClient::new(Dialer::new(own.clone()).peer(server.addr()));
    assert_eq!(client.get(GetRequest::default()).await.unwrap().name, format!("key:{}", own.id()));
}

#[tokio::test(flavor = "multi_thread")]
async fn no_more_calls_run_at_once_than_the_profile_says() {
    const STREAMS: usize = 4;
    let profile = QuicProfile { max_concurrent_streams: STREAMS as u32, ..QuicProfile::default() };
    let running = Arc::new(AtomicUsize::new(0));
    let counter = running.clone();
    let (go, gate) = tokio::sync::watch::channel(false);
    let stock = Stock::new().on_get(move |_, _| {
        let (counter, mut gate) = (counter.clone(), gate.clone());
        counter.fetch_add(1, Ordering::SeqCst);
        async move {
            gate.wait_for(|open| *open).await.unwrap();
            Ok(Item::default())
        }
    });
    let server = endpoint::tuned(&profile).await;
    tokio::spawn(serve(server.clone(), stock.server(), ServeOptions::default(), Drain::new()));
    let client = InventoryClient::new(Dialer::new(endpoint::plain().await).peer(server.addr()));
    let mut calls = JoinSet::new();
    for _ in 0..3 * STREAMS {
        calls.spawn(client.get(GetRequest::default()).into_future());
    }
    let started = || running.load(Ordering::SeqCst);
    eventually("the limit is reached", async || (started() == STREAMS).then_some(())).await;
    assert_eq!(settled(Duration::from_millis(300), started).await, STREAMS);
    go.send(true).unwrap();
    while let Some(call) = within(calls.join_next()).await {
        call.unwrap().unwrap();
    }
    assert_eq!(started(), 3 * STREAMS);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_beyond_the_limit_is_refused_as_not_processed_and_the_others_go_on() {
    let server = endpoint::plain().await;
    let options = ServeOptions { max_connections: 2, ..ServeOptions::default() };
    tokio::spawn(serve(server.clone(), Stock::new().server(), options, Drain::new()));
    let mut clients = Vec::new();
    // Endpoints that stay: one that is dropped cannot say goodbye for its connections.
    let endpoints = [endpoint::plain().await, endpoint::plain().await];
    for endpoint in &endpoints {
        let client = InventoryClient::new(Dialer::new(endpoint.clone()).peer(server.addr()));
        client.get(GetRequest::default()).await.unwrap();
        clients.push(client);
    }
    let third = InventoryClient::new(Dialer::new(endpoint::plain().await).peer(server.addr()));
    let status = third.get(GetRequest::default()).await.unwrap_err();
    assert_eq!(status.code(), Code::Unavailable, "{status}");
    assert!(status.is_not_processed());
    for client in &clients {
        client.get(GetRequest::default()).await.unwrap();
    }
    // Room is made when one leaves.
    clients.pop();
    eventually("the third has its turn", async || third.get(GetRequest::default()).await.ok()).await;
}
