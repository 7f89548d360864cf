use iroh::endpoint::ConnectionError;
use polywire::{
    Code, Drain,
    iroh::{Dialer, Peer, ServeOptions, serve},
};
use polywire_tests::{
    drops::{Drops, Guards},
    endpoint,
    inventory::{GetRequest, InventoryClient, Item, Stock},
    patience::within,
};
use tokio::{
    sync::{mpsc, watch},
    task::JoinHandle,
};

/// A server whose `get` waits at a gate.
struct Gated {
    server: iroh::Endpoint,
    drain: Drain,
    serving: JoinHandle<()>,
    gate: watch::Sender<bool>,
    beginnings: mpsc::UnboundedReceiver<()>,
}

impl Gated {
    async fn start(guards: Guards) -> Self {
        let (gate, closed) = watch::channel(false);
        let (begun, beginnings) = mpsc::unbounded_channel();
        let stock = Stock::new().on_get(move |_, _| {
            let (mut gate, guard) = (closed.clone(), guards.guard());
            begun.send(()).unwrap();
            async move {
                gate.wait_for(|open| *open).await.unwrap();
                drop(guard);
                Ok(Item::named("finished"))
            }
        });
        let server = endpoint::plain().await;
        let drain = Drain::new();
        let serving =
            tokio::spawn(serve(server.clone(), stock.server(), ServeOptions::default(), drain.clone()));
        Self { server, drain, serving, gate, beginnings }
    }

    async fn peer(&self) -> Peer {
        Dialer::new(endpoint::plain().await).peer(self.server.addr())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_drain_finishes_what_is_in_flight_and_refuses_the_rest_as_not_processed() {
    let mut gated = Gated::start(Drops::new().guards()).await;
    let peer = gated.peer().await;
    let client = InventoryClient::new(peer.clone());
    let call = tokio::spawn(client.get(GetRequest::default()).into_future());
    within(gated.beginnings.recv()).await.unwrap();
    gated.drain.stop();

    let late = within(client.get(GetRequest::default()).into_future()).await.unwrap_err();
    assert_eq!(late.code(), Code::Unavailable, "{late}");
    assert!(late.is_not_processed(), "{late:?}");
    let stranger = InventoryClient::new(gated.peer().await);
    let refused = within(stranger.get(GetRequest::default()).into_future()).await.unwrap_err();
    assert_eq!(refused.code(), Code::Unavailable, "{refused}");
    assert!(refused.is_not_processed(), "{refused:?}");

    let connection = peer.connection().await.unwrap();
    gated.gate.send(true).unwrap();
    assert_eq!(within(call).await.unwrap().unwrap(), Item::named("finished"));
    within(gated.serving).await.unwrap();
    match within(connection.closed()).await {
        ConnectionError::ApplicationClosed(close) => assert_eq!(close.error_code.into_inner(), 0x10),
        other => panic!("{other}"),
    }
    assert!(gated.beginnings.try_recv().is_err(), "a refused call reached the handler");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_idle_connection_does_not_hold_up_a_drain() {
    let mut gated = Gated::start(Drops::new().guards()).await;
    let peer = gated.peer().await;
    gated.gate.send(true).unwrap();
    InventoryClient::new(peer.clone()).get(GetRequest::default()).await.unwrap();
    within(gated.beginnings.recv()).await.unwrap();
    gated.drain.stop();
    within(gated.serving).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cut_ends_what_is_left_and_its_callers_learn_so() {
    let mut drops = Drops::new();
    let mut gated = Gated::start(drops.guards()).await;
    let client = InventoryClient::new(gated.peer().await);
    let call = tokio::spawn(client.get(GetRequest::default()).into_future());
    within(gated.beginnings.recv()).await.unwrap();
    gated.drain.cut();
    let status = within(call).await.unwrap().unwrap_err();
    assert_eq!(status.code(), Code::Unavailable, "{status}");
    // A handler had seen it.
    assert!(!status.is_not_processed());
    drops.next().await;
    within(gated.serving).await.unwrap();
}
