//! Who orders, and what is told of each order.

use std::time::Duration;

use polywire::{Channel, ConnectOptions, Status, Streaming, SubchannelState, iroh::Dialer, policy::Policy};
use polywire_tests::{
    ledger::{LedgerClient, Order},
    patience::eventually,
};
use tokio::time::Instant;

/// The method by which an order is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum By {
    Enter,
    EnterAll,
    Follow,
}

/// An order, and what its caller was told.
#[derive(Debug)]
pub(super) struct Told {
    pub(super) name: u64,
    pub(super) by: By,
    pub(super) timeout: Duration,
    pub(super) took: Duration,
    pub(super) outcome: Result<(), Status>,
}

/// A channel to these targets, half of whose calls prefer each, once both are known to work.
pub(super) async fn connect(options: &ConnectOptions, targets: [String; 2]) -> LedgerClient {
    let builder = Channel::builder().options(options.clone()).targets(targets);
    let channel = builder.policy(Policy::default().share(0.5)).connect().await.unwrap();
    let client = LedgerClient::new(channel.clone());
    eventually("both transports work", async || {
        // A peer that has just been broken may not be there yet.
        let _ = client.look(Order::default()).timeout(Duration::from_secs(2)).await;
        let told = channel.explain().unwrap();
        told.subchannels.iter().all(|route| route.state == SubchannelState::Closed).then_some(())
    })
    .await;
    client
}

/// Options under which nothing but calls is waited for.
pub(super) fn options(dialer: Dialer) -> ConnectOptions {
    ConnectOptions::new().connect_timeout(Duration::from_millis(500)).with(dialer)
}

/// Makes the order.
pub(super) async fn order(client: LedgerClient, by: By, order: Order, timeout: Duration) -> Told {
    let (name, begun) = (order.name, Instant::now());
    let outcome = match by {
        By::Enter => client.enter(order).timeout(timeout).await.map(drop),
        By::EnterAll => {
            let rest = Order { ballast: order.ballast.clone(), ..Order::default() };
            let orders = Streaming::from_iter([order, rest.clone(), rest]);
            client.enter_all(orders).timeout(timeout).await.map(drop)
        }
        By::Follow => follow(client, order, timeout).await,
    };
    Told { name, by, timeout, took: begun.elapsed(), outcome }
}

async fn follow(client: LedgerClient, order: Order, timeout: Duration) -> Result<(), Status> {
    let mut entries = client.follow(order).timeout(timeout).await?;
    while entries.message().await?.is_some() {}
    Ok(())
}
