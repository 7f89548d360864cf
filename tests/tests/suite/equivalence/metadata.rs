use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use polywire::{Code, Metadata, Response, Status, Streaming};
use polywire_tests::{
    inventory::{GetRequest, InventoryClient, Item, Stock, Summary, WatchRequest},
    on_every_transport,
};

/// An ASCII entry, one that occurs twice, and a binary one that is no text.
fn sample(of: &str) -> Metadata {
    let mut metadata = Metadata::new();
    metadata.append("of", of).unwrap();
    metadata.append("twice", "first").unwrap();
    metadata.append("twice", "second, with a comma").unwrap();
    metadata.append_bin("raw-bin", vec![0, 0xff, 0x80, b',']).unwrap();
    metadata.append_bin("raw-bin", Vec::new()).unwrap();
    metadata
}

/// Whether each entry of the sample is there. Transports may add some of their own.
#[track_caller]
fn assert_sample(metadata: &Metadata, of: &str) {
    assert_eq!(metadata.get("of"), Some(of), "{metadata:?}");
    let sample = sample(of);
    let ascii = |metadata: &Metadata| Vec::from_iter(metadata.get_all("twice").map(str::to_owned));
    assert_eq!(ascii(metadata), ascii(&sample));
    let binary = |metadata: &Metadata| Vec::from_iter(metadata.get_all_bin("raw-bin").cloned());
    assert_eq!(binary(metadata), binary(&sample));
}

on_every_transport! {
    async fn a_handler_sees_the_callers_metadata(transport) {
        let stock = Stock::new().on_get(async |arrival, _| {
            assert_sample(&arrival.metadata, "caller");
            Ok(Item::default())
        });
        let link = transport.connect(stock.server()).await;
        let client = InventoryClient::new(link.channel.clone());
        let mut call = client.get(GetRequest::default());
        for (key, value) in sample("caller").iter() {
            call = match key.ends_with("-bin") {
                true => call.metadata_bin(key, value.clone()),
                false => call.metadata(key, std::str::from_utf8(value).unwrap()),
            };
        }
        call.await.unwrap();
    }

    async fn a_unary_answer_has_leading_and_trailing_metadata(transport) {
        let stock = Stock::new().on_get(async |_, _| {
            Ok(Response::new(Item::named("anvil")).with_metadata(sample("lead")).with_trailers(sample("trail")))
        });
        let link = transport.connect(stock.server()).await;
        let client = InventoryClient::new(link.channel.clone());
        let response = client.get(GetRequest::default()).response().await.unwrap();
        assert_sample(&response.metadata, "lead");
        assert_sample(&response.trailers, "trail");
        assert_eq!(response.message, Item::named("anvil"));
    }

    async fn a_caller_who_asks_is_told_how_long_the_handler_took_and_nobody_else_is(transport) {
        let stock = Stock::new().on_get(async |_, _| Ok(Item::named("anvil")));
        let link = transport.connect(stock.server()).await;
        let client = InventoryClient::new(link.channel.clone());
        let asking = client.get(GetRequest::default()).metadata("want-server-timing", "1");
        let told = asking.response().await.unwrap().trailers;
        let told = told.get("server-timing").and_then(|value| value.strip_prefix("handler;dur=")).map(str::parse::<f64>);
        assert!(matches!(told, Some(Ok(milliseconds)) if milliseconds >= 0.0), "{told:?}");
        let response = client.get(GetRequest::default()).response().await.unwrap();
        assert_eq!(response.trailers.get("server-timing"), None);
    }

    async fn the_answer_to_a_client_stream_has_leading_and_trailing_metadata(transport) {
        let stock = Stock::new().on_import(async |_, _| {
            Ok(Response::new(Summary::default()).with_metadata(sample("lead")).with_trailers(sample("trail")))
        });
        let link = transport.connect(stock.server()).await;
        let client = InventoryClient::new(link.channel.clone());
        let response = client.import(Streaming::empty()).response().await.unwrap();
        assert_sample(&response.metadata, "lead");
        assert_sample(&response.trailers, "trail");
    }

    async fn a_stream_has_leading_metadata_before_its_first_message_and_trailing_behind_its_last(transport) {
        let stock = Stock::new().on_sync(async |_, items| {
            let items = items.with_trailers(|| sample("trail"));
            Ok(Response::new(items).with_metadata(sample("lead")))
        });
        let link = transport.connect(stock.server()).await;
        let client = InventoryClient::new(link.channel.clone());
        let (sender, items) = Streaming::channel(1);
        let mut response = client.sync(items).response().await.unwrap();
        assert_sample(&response.metadata, "lead");
        sender.send(Ok(Item::named("anvil"))).await.unwrap();
        assert_eq!(response.message.message().await.unwrap(), Some(Item::named("anvil")));
        assert!(response.message.trailers().is_empty());
        drop(sender);
        assert_eq!(response.message.message().await.unwrap(), None);
        assert_sample(response.message.trailers(), "trail");
    }

    async fn a_failure_has_trailing_metadata(transport) {
        let stock = Stock::new()
            .on_get(async |_, _| Err::<Item, _>(Status::aborted("no").with_metadata(sample("failure"))))
            .on_watch(async |_, _: WatchRequest| {
                let failure = Status::aborted("no more").with_metadata(sample("late failure"));
                Ok(Streaming::new(futures_util::stream::iter([Ok(Item::default()), Err(failure)])))
            });
        let link = transport.connect(stock.server()).await;
        let client = InventoryClient::new(link.channel.clone());
        let status = client.get(GetRequest::default()).await.unwrap_err();
        assert_sample(status.metadata(), "failure");
        let mut items = client.watch(WatchRequest::default()).await.unwrap();
        items.message().await.unwrap();
        let status = items.message().await.unwrap_err();
        assert_sample(status.metadata(), "late failure");
    }

    async fn what_no_transport_could_carry_is_refused_before_it_is_sent(transport) {
        let calls = Arc::new(AtomicUsize::new(0));
        let counter = calls.clone();
        let stock = Stock::new().on_get(move |_, _| {
            counter.fetch_add(1, Ordering::SeqCst);
            async { Ok(Item::default()) }
        });
        let link = transport.connect(stock.server()).await;
        let client = InventoryClient::new(link.channel.clone());
        for (key, value) in [("grpc-timeout", "1S"), ("Upper", "x"), ("te", "x"), ("a", "ü"), ("a-bin", "x"), ("", "x"), ("a", " x"), ("a", "x "), ("polywire-not-processed", "1")] {
            let status = client.get(GetRequest::default()).metadata(key, value).await.unwrap_err();
            assert_eq!(status.code(), Code::InvalidArgument, "{key}: {status}");
        }
        assert_eq!(calls.load(Ordering::SeqCst), 0);
    }

    async fn metadata_beyond_the_limit_cost_the_call_alone(transport) {
        if !transport.is_network() {
            return;
        }
        let stock = Stock::new().on_get(async |_, request: GetRequest| {
            let mut metadata = Metadata::new();
            if request.name == "heavy" {
                metadata.insert("heavy", "x".repeat(100_000)).unwrap();
            }
            Ok(Response::new(Item::default()).with_metadata(metadata))
        });
        let link = transport.connect(stock.server()).await;
        let client = InventoryClient::new(link.channel.clone());
        let sent = client.get(GetRequest::default()).metadata("heavy", "x".repeat(100_000)).await;
        assert_eq!(sent.unwrap_err().code(), Code::ResourceExhausted);
        let received = client.get(GetRequest::named("heavy")).await;
        assert_eq!(received.unwrap_err().code(), Code::ResourceExhausted);
        client.get(GetRequest::default()).metadata("light", "x".repeat(8_000)).await.unwrap();
        link.assert_one_connection();
    }
}
