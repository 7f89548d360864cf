//! A member of a real cluster whose handler fails at once.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    time::Duration,
};

use polywire::{Channel, Status};
use polywire_tests::{
    inventory::{GetRequest, InventoryClient, Item, Stock},
    patience::eventually,
    shop::Shop,
};
use tokio::time::{MissedTickBehavior, interval};

use crate::raft::cluster::cluster_command;

/// What the handlers of the members have met, and whether the last one's fails.
#[derive(Default)]
struct Met {
    calls: [AtomicU32; 3],
    fails: AtomicBool,
}

impl Met {
    fn stock(self: &Arc<Self>, place: usize) -> Stock {
        let met = self.clone();
        Stock::new().on_get(move |_, request: GetRequest| {
            met.calls[place].fetch_add(1, Ordering::Relaxed);
            let fails = place == 2 && met.fails.load(Ordering::Relaxed);
            let answer =
                if fails { Err(Status::internal("no shelf")) } else { Ok(Item::named(request.name)) };
            std::future::ready(answer)
        })
    }

    fn of_last(&self) -> u32 {
        self.calls[2].load(Ordering::Relaxed)
    }
}

/// This many calls, one each 4 ms at most, and how many of them the last member met.
async fn calls(client: &InventoryClient, met: &Met, count: u32) -> u32 {
    let before = met.of_last();
    let mut pace = interval(Duration::from_millis(4));
    pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
    for _ in 0..count {
        pace.tick().await;
        let _ = client.get(GetRequest::named("anvil")).await;
    }
    met.of_last() - before
}

/// That the last member has its share of the calls: a sixth at least, of three.
async fn has_its_share(client: &InventoryClient, met: &Met) -> Option<()> {
    (calls(client, met, 60).await >= 10).then_some(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_member_that_fails_at_once_has_hardly_a_call_and_its_share_again_once_it_works() {
    let met = Arc::new(Met::default());
    let shops =
        [Shop::open(met.stock(0)).await, Shop::open(met.stock(1)).await, Shop::open(met.stock(2)).await];
    for shop in &shops[1..] {
        eventually("it joins", async || {
            let joined = cluster_command(&["join", &shops[0].grpc, "--node", &shop.grpc]).await;
            (joined.code == 0).then_some(())
        })
        .await;
    }
    let channel = Channel::cluster(&*shops[0].grpc).connect().await.unwrap();
    let client = InventoryClient::new(channel);
    eventually("the last one has its share", async || has_its_share(&client, &met).await).await;
    met.fails.store(true, Ordering::Relaxed);
    calls(&client, &met, 250).await;
    let failed = calls(&client, &met, 500).await;
    assert!(failed <= 5, "{failed} of 500");
    met.fails.store(false, Ordering::Relaxed);
    eventually("the last one has its share again", async || has_its_share(&client, &met).await).await;
}
