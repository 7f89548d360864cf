use std::{
    future::pending,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use polywire::{Body, Call, Code, Method, Streaming};
use polywire_tests::{
    drops::Drops,
    inventory::{GetRequest, InventoryClient, Item, Stock, Summary, WatchRequest},
    link::Link,
    on_every_transport,
};

const SHORT: Duration = Duration::from_millis(500);

/// A client whose connection is there: making one must not use up the deadlines under test.
async fn connected(link: &Link) -> InventoryClient {
    // No handler of the test's takes part.
    const NOBODY: Method = Method::unary("/nobody.v1.Nobody/Get");
    let call = Call::<Item>::new(&link.channel, &NOBODY, Body::one(GetRequest::default()));
    assert_eq!(call.await.unwrap_err().code(), Code::Unimplemented);
    InventoryClient::new(link.channel.clone())
}

on_every_transport! {
    async fn a_handler_knows_how_long_its_caller_waits(transport) {
        let stock = Stock::new().on_get(async |arrival, _| {
            let left = arrival.time_left.map_or(0, |left| left.as_millis());
            Ok(Item::named(left.to_string()))
        });
        let link = transport.connect(stock.server()).await;
        let client = connected(&link).await;
        let left = client.get(GetRequest::default()).timeout(Duration::from_secs(60)).await.unwrap().name;
        let left: u64 = left.parse().unwrap();
        assert!((50_000..=60_000).contains(&left), "{left} ms");
        assert_eq!(client.get(GetRequest::default()).await.unwrap().name, "0");
    }

    async fn a_call_past_its_deadline_fails_and_its_handler_is_dropped(transport) {
        let mut drops = Drops::new();
        let guards = drops.guards();
        let stock = Stock::new().on_get(move |_, _| {
            let guard = guards.guard();
            async move {
                pending::<()>().await;
                drop(guard);
                Ok(Item::default())
            }
        });
        let link = transport.connect(stock.server()).await;
        let client = connected(&link).await;
        let begun = Instant::now();
        let status = client.get(GetRequest::default()).timeout(SHORT).await.unwrap_err();
        assert_eq!(status.code(), Code::DeadlineExceeded, "{status}");
        assert!(begun.elapsed() >= SHORT - Duration::from_millis(20), "{:?}", begun.elapsed());
        assert!(begun.elapsed() < SHORT * 20, "{:?}", begun.elapsed());
        drops.next().await;
        link.assert_one_connection();
    }

    async fn a_stream_that_never_rests_is_over_at_its_deadline_too(transport) {
        let mut drops = Drops::new();
        let guards = drops.guards();
        // HTTP/2's library closes a connection on which too many frames of less than 256 bytes wait to be read,
        // as they may while the only thread of this test is busy sending them.
        let name = "again ".repeat(60);
        let stock = Stock::new().on_watch(move |_, _: WatchRequest| {
            let (guard, name) = (guards.guard(), name.clone());
            async move {
                Ok(Streaming::new(futures_util::stream::unfold((guard, name), async |(guard, name)| {
                    tokio::task::yield_now().await;
                    Some((Ok(Item::named(&name)), (guard, name)))
                })))
            }
        });
        let link = transport.connect(stock.server()).await;
        let client = connected(&link).await;
        let mut items = client.watch(WatchRequest::default()).timeout(SHORT * 4).await.unwrap();
        let status = loop {
            match items.message().await {
                Ok(item) => assert!(item.is_some(), "the stream ended as if it were complete"),
                Err(status) => break status,
            }
        };
        assert_eq!(status.code(), Code::DeadlineExceeded, "{status}");
        drops.next().await;
        link.assert_one_connection();
    }

    async fn a_stream_that_rests_is_over_at_its_deadline(transport) {
        let mut drops = Drops::new();
        let guards = drops.guards();
        let stock = Stock::new().on_sync(move |_, items| {
            let guard = guards.guard();
            async move {
                Ok(Streaming::new(futures_util::stream::unfold((items, guard), async |(mut items, guard)| {
                    let item: Option<Item> = items.message().await.ok()?;
                    Some((Ok(item?), (items, guard)))
                })))
            }
        });
        let link = transport.connect(stock.server()).await;
        let client = connected(&link).await;
        let (sender, items) = Streaming::channel(1);
        sender.send(Ok(Item::named("first"))).await.unwrap();
        let mut echoes = client.sync(items).timeout(SHORT * 3).await.unwrap();
        assert_eq!(echoes.message().await.unwrap(), Some(Item::named("first")));
        let status = echoes.message().await.unwrap_err();
        assert_eq!(status.code(), Code::DeadlineExceeded, "{status}");
        drops.next().await;
        link.assert_one_connection();
    }

    async fn requests_that_never_come_do_not_outlast_the_deadline(transport) {
        let mut drops = Drops::new();
        let guards = drops.guards();
        let stock = Stock::new().on_import(move |_, mut items: Streaming<Item>| {
            let guard = guards.guard();
            async move {
                while items.message().await?.is_some() {}
                drop(guard);
                Ok(Summary::default())
            }
        });
        let link = transport.connect(stock.server()).await;
        let client = connected(&link).await;
        let (_sender, items) = Streaming::channel(1);
        let status = client.import(items).timeout(SHORT).await.unwrap_err();
        assert_eq!(status.code(), Code::DeadlineExceeded, "{status}");
        drops.next().await;
        link.assert_one_connection();
    }

    async fn a_deadline_that_has_passed_already_is_not_worth_a_call(transport) {
        let calls = Arc::new(AtomicUsize::new(0));
        let counter = calls.clone();
        let stock = Stock::new().on_get(move |_, _| {
            counter.fetch_add(1, Ordering::SeqCst);
            async { Ok(Item::default()) }
        });
        let link = transport.connect(stock.server()).await;
        let client = connected(&link).await;
        let status = client.get(GetRequest::default()).timeout(Duration::ZERO).await.unwrap_err();
        assert_eq!(status.code(), Code::DeadlineExceeded, "{status}");
        assert_eq!(calls.load(Ordering::SeqCst), 0);
    }

    async fn a_method_has_a_deadline_of_its_own_that_callers_may_only_shorten(transport) {
        let stock = Stock::new().on_get(async |arrival, request: GetRequest| {
            assert!(arrival.time_left.is_some_and(|left| left <= Duration::from_millis(300)));
            if request.name == "wait" {
                pending::<()>().await;
            }
            Ok(Item::default())
        });
        let link = transport.connect(stock.server()).await;
        let client = connected(&link).await;
        client.glance(GetRequest::default()).await.unwrap();
        for call in [
            client.glance(GetRequest::named("wait")),
            client.glance(GetRequest::named("wait")).timeout(Duration::from_secs(60)),
        ] {
            let status = call.await.unwrap_err();
            assert_eq!(status.code(), Code::DeadlineExceeded, "{status}");
        }
    }
}
