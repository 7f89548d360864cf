use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use polywire::{Status, Streaming};
use polywire_tests::{
    inventory::{InventoryClient, Item, Stock, Summary, WatchRequest},
    on_every_transport,
    patience::{eventually, settled},
};
use tokio::sync::watch;

/// The size of one item.
const SIZE: usize = 64 << 10;

/// How far a sender may be ahead of a reader that rests: every buffer on the way, generously. The windows of
/// QUIC and HTTP/2, both ends, are 1 to 8 MiB.
const AHEAD: usize = (32 << 20) / SIZE;

/// How long the count must stand still to count as stopped.
const QUIET: Duration = Duration::from_millis(500);

/// Items without end, counted as they are taken.
fn endless(taken: Arc<AtomicUsize>) -> Streaming<Item> {
    Streaming::new(futures_util::stream::unfold((), move |()| {
        taken.fetch_add(1, Ordering::SeqCst);
        async {
            // Within a process nothing else would ever wait.
            tokio::task::yield_now().await;
            Some((Ok::<_, Status>(Item::pictured(SIZE)), ()))
        }
    }))
}

on_every_transport! {
    async fn a_caller_that_rests_stops_the_servers_stream(transport) {
        let taken = Arc::new(AtomicUsize::new(0));
        let counter = taken.clone();
        let stock = Stock::new().on_watch(move |_, _: WatchRequest| {
            let items = endless(counter.clone());
            async move { Ok(items) }
        });
        let link = transport.connect(stock.server()).await;
        let client = InventoryClient::new(link.channel.clone());
        let mut items = client.watch(WatchRequest::default()).await.unwrap();
        assert!(items.message().await.unwrap().is_some());
        let stopped = settled(QUIET, || taken.load(Ordering::SeqCst)).await;
        assert!(stopped <= AHEAD, "the server is {stopped} items ahead");
        for _ in 0..stopped + 100 {
            assert!(items.message().await.unwrap().is_some());
        }
        assert!(taken.load(Ordering::SeqCst) > stopped, "the server went on");
    }

    async fn a_handler_that_rests_stops_the_callers_stream(transport) {
        let (go, gate) = watch::channel(false);
        let stock = Stock::new().on_import(move |_, mut items: Streaming<Item>| {
            let mut gate = gate.clone();
            async move {
                items.message().await?;
                gate.wait_for(|open| *open).await.unwrap();
                while items.message().await?.is_some() {}
                Ok(Summary::default())
            }
        });
        let link = transport.connect(stock.server()).await;
        let client = InventoryClient::new(link.channel.clone());
        let taken = Arc::new(AtomicUsize::new(0));
        let items = endless(taken.clone());
        let call = tokio::spawn(client.import(items).into_future());
        eventually("the call is under way", async || (taken.load(Ordering::SeqCst) > 0).then_some(())).await;
        let stopped = settled(QUIET, || taken.load(Ordering::SeqCst)).await;
        assert!(stopped <= AHEAD, "the caller is {stopped} items ahead");
        go.send(true).unwrap();
        eventually("the caller goes on", async || (taken.load(Ordering::SeqCst) > stopped + 100).then_some(())).await;
        call.abort();
    }
}
