use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use polywire_tests::{
    inventory::{GetRequest, InventoryClient, Item, Stock},
    link::STREAMS,
    on_every_transport,
};
use tokio::{sync::watch, task::JoinSet};

const CALLS: usize = 2_000;

/// How many handlers run now, and how many did at most.
#[derive(Default)]
struct Crowd {
    now: AtomicUsize,
    most: AtomicUsize,
}

on_every_transport! {
    async fn calls_beyond_the_stream_limit_wait_their_turn(transport) {
        let crowd = Arc::new(Crowd::default());
        let (open, gate) = watch::channel(false);
        let counted = crowd.clone();
        // Nobody leaves before as many are in as the limit lets in: so many really run at once.
        let stock = Stock::new().on_get(move |_, request: GetRequest| {
            let (crowd, open, mut gate) = (counted.clone(), open.clone(), gate.clone());
            async move {
                let now = crowd.now.fetch_add(1, Ordering::SeqCst) + 1;
                crowd.most.fetch_max(now, Ordering::SeqCst);
                if now == STREAMS as usize {
                    open.send_replace(true);
                }
                gate.wait_for(|open| *open).await.unwrap();
                crowd.now.fetch_sub(1, Ordering::SeqCst);
                Ok(Item::named(request.name))
            }
        });
        let link = transport.connect(stock.server()).await;
        let client = InventoryClient::new(link.channel.clone());
        let mut calls = JoinSet::new();
        for number in 0..CALLS {
            let name = number.to_string();
            let call = client.get(GetRequest::named(&name)).into_future();
            calls.spawn(async move { assert_eq!(call.await.unwrap(), Item::named(name)) });
        }
        while let Some(call) = calls.join_next().await {
            call.unwrap();
        }
        let most = crowd.most.load(Ordering::SeqCst);
        assert!(most >= STREAMS as usize, "only {most} at once");
        if transport.limits_streams() {
            assert!(most <= STREAMS as usize, "{most} at once on a connection of {STREAMS}");
        }
        link.assert_one_connection();
    }
}
