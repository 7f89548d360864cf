use std::future::pending;

use polywire::{Code, Status, Streaming};
use polywire_tests::{
    drops::{Drops, Guards},
    inventory::{GetRequest, InventoryClient, Item, Stock, Summary, WatchRequest},
    link::Link,
    on_every_transport,
};
use tokio::sync::mpsc;

/// A stock that tells when a handler has begun, and whose handlers wait for ever, unless asked for "now".
fn waiting(begun: mpsc::UnboundedSender<()>, guards: Guards) -> Stock {
    let (begun_too, guards_too) = (begun.clone(), guards.clone());
    Stock::new()
        .on_get(move |_, request: GetRequest| {
            let guard = guards.guard();
            begun.send(()).unwrap();
            async move {
                if request.name != "now" {
                    pending::<()>().await;
                }
                drop(guard);
                Ok(Item::default())
            }
        })
        .on_sync(move |_, items: Streaming<Item>| {
            let (begun, guard) = (begun_too.clone(), guards_too.guard());
            begun.send(()).unwrap();
            async move {
                Ok(Streaming::new(futures_util::stream::unfold((items, guard), async |(items, guard)| {
                    pending::<()>().await;
                    Some((Ok(Item::default()), (items, guard)))
                })))
            }
        })
}

async fn assert_still_served(link: &Link) {
    InventoryClient::new(link.channel.clone()).get(GetRequest::named("now")).await.unwrap();
    link.assert_one_connection();
}

on_every_transport! {
    async fn dropping_a_call_drops_its_handler(transport) {
        let (begun, mut beginnings) = mpsc::unbounded_channel();
        let mut drops = Drops::new();
        let link = transport.connect(waiting(begun, drops.guards()).server()).await;
        let client = InventoryClient::new(link.channel.clone());
        let call = client.get(GetRequest::named("later")).into_future();
        tokio::select! {
            outcome = call => panic!("{outcome:?}"),
            _ = beginnings.recv() => {}
        }
        drops.next().await;
        assert_still_served(&link).await;
    }

    async fn dropping_the_answers_drops_the_handlers_stream(transport) {
        let (begun, mut beginnings) = mpsc::unbounded_channel();
        let mut drops = Drops::new();
        let link = transport.connect(waiting(begun, drops.guards()).server()).await;
        let client = InventoryClient::new(link.channel.clone());
        let (sender, items) = Streaming::channel(1);
        sender.send(Ok(Item::default())).await.unwrap();
        let answers = client.sync(items).await.unwrap();
        beginnings.recv().await.unwrap();
        drop(answers);
        drops.next().await;
        // And nobody takes requests any more.
        sender.closed().await;
        assert_still_served(&link).await;
    }

    async fn dropping_a_call_of_streams_that_has_no_answer_yet_drops_its_handler(transport) {
        let (begun, mut beginnings) = mpsc::unbounded_channel();
        let mut drops = Drops::new();
        let guards = drops.guards();
        let stock = waiting(begun.clone(), drops.guards()).on_import(move |_, items: Streaming<Item>| {
            let guard = guards.guard();
            begun.send(()).unwrap();
            async move {
                pending::<()>().await;
                drop((guard, items));
                Ok(Summary::default())
            }
        });
        let link = transport.connect(stock.server()).await;
        let client = InventoryClient::new(link.channel.clone());
        let (_sender, items) = Streaming::channel(1);
        let call = client.import(items).into_future();
        tokio::select! {
            outcome = call => panic!("{outcome:?}"),
            _ = beginnings.recv() => {}
        }
        drops.next().await;
        assert_still_served(&link).await;
    }

    async fn requests_that_break_off_are_not_mistaken_for_requests_that_end(transport) {
        let (seen, mut sightings) = mpsc::unbounded_channel();
        let stock = Stock::new().on_import(move |_, mut items: Streaming<Item>| {
            let seen = seen.clone();
            async move {
                let end = loop {
                    match items.message().await {
                        Ok(Some(item)) => seen.send(item.name).unwrap(),
                        Ok(None) => break Ok(Summary::default()),
                        Err(status) => break Err(status),
                    }
                };
                seen.send(if end.is_ok() { "an end" } else { "a break" }.to_owned()).unwrap();
                end
            }
        });
        let link = transport.connect(stock.server()).await;
        let client = InventoryClient::new(link.channel.clone());
        let (sender, items) = Streaming::channel(1);
        let call = tokio::spawn(client.import(items).into_future());
        sender.send(Ok(Item::named("whole"))).await.unwrap();
        assert_eq!(sightings.recv().await.unwrap(), "whole");
        sender.send(Err(Status::data_loss("the scanner broke"))).await.unwrap();
        let status = call.await.unwrap().unwrap_err();
        assert_eq!((status.code(), status.message()), (Code::DataLoss, "the scanner broke"));
        client.get(GetRequest::default()).await.unwrap();
        link.assert_one_connection();
        // A handler that is dropped meanwhile says nothing, and so does the channel once it is gone.
        drop((client, link));
        assert_ne!(sightings.recv().await.as_deref(), Some("an end"));
    }

    async fn a_server_that_ends_early_stops_the_callers_requests(transport) {
        let stock = Stock::new().on_watch(async |_, _: WatchRequest| Ok(Streaming::empty())).on_import(
            async |_, mut items: Streaming<Item>| {
                let first = items.message().await?.unwrap();
                Ok(Summary { names: vec![first.name] })
            },
        );
        let link = transport.connect(stock.server()).await;
        let client = InventoryClient::new(link.channel.clone());
        let (sender, items) = Streaming::channel(1);
        sender.send(Ok(Item::named("first"))).await.unwrap();
        let summary = client.import(items).await.unwrap();
        assert_eq!(summary.names, ["first"]);
        sender.closed().await;
        link.assert_one_connection();
    }
}
