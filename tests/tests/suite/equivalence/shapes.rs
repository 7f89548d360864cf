use polywire::{Body, Call, Code, Method, Router, Service, ServiceExt as _, Streaming};
use polywire_tests::{
    inventory::{GetRequest, InventoryClient, Item, Stock, Summary, WatchRequest},
    on_every_transport,
};

on_every_transport! {
    async fn a_unary_call_is_answered_by_one_message(transport) {
        let link = transport.connect(Stock::new().server()).await;
        let client = InventoryClient::new(link.channel.clone());
        let item = client.get(GetRequest::named("anvil")).await.unwrap();
        assert_eq!(item, Item::named("anvil"));
    }

    async fn a_server_stream_yields_its_messages_in_order_and_ends(transport) {
        let link = transport.connect(Stock::new().server()).await;
        let client = InventoryClient::new(link.channel.clone());
        for count in [0, 1, 2_000] {
            let mut items = client.watch(WatchRequest { count }).await.unwrap();
            for number in 0..count {
                let item = items.message().await.unwrap();
                assert_eq!(item.map(|item| item.name), Some(number.to_string()));
            }
            assert_eq!(items.message().await.unwrap(), None);
        }
    }

    async fn a_client_stream_arrives_in_order_and_is_answered_by_one_message(transport) {
        let link = transport.connect(Stock::new().server()).await;
        let client = InventoryClient::new(link.channel.clone());
        for count in [0, 1, 2_000] {
            let names: Vec<_> = (0..count).map(|number| number.to_string()).collect();
            let items = Streaming::from_iter(names.clone().into_iter().map(Item::named));
            assert_eq!(client.import(items).await.unwrap(), Summary { names });
        }
    }

    async fn both_directions_of_a_call_flow_at_once_and_end_each_by_itself(transport) {
        let link = transport.connect(Stock::new().server()).await;
        let client = InventoryClient::new(link.channel.clone());
        let (sender, items) = Streaming::channel(1);
        // The first is under way before there is an answer: a server may look at it before it answers.
        sender.send(Ok(Item::named("0"))).await.unwrap();
        let mut echoes = client.sync(items).await.unwrap();
        for number in 0..100 {
            let echo = echoes.message().await.unwrap();
            assert_eq!(echo.map(|item| item.name), Some(number.to_string()));
            sender.send(Ok(Item::named((number + 1).to_string()))).await.unwrap();
        }
        drop(sender);
        assert!(echoes.message().await.unwrap().is_some());
        assert_eq!(echoes.message().await.unwrap(), None);
    }

    async fn a_stream_outlives_the_client_that_began_it(transport) {
        let mut link = transport.connect(Stock::new().server()).await;
        let (sender, items) = Streaming::channel(1);
        sender.send(Ok(Item::named("first"))).await.unwrap();
        let mut echoes = InventoryClient::new(link.channel.clone()).sync(items).await.unwrap();
        link.channel = Router::new().into_channel();
        for name in ["first", "second"] {
            assert_eq!(echoes.message().await.unwrap(), Some(Item::named(name)));
            let _ = sender.send(Ok(Item::named("second"))).await;
        }
    }

    async fn an_answer_may_begin_before_the_first_request(transport) {
        let stock = Stock::new().on_sync(async |_, items| {
            drop(items);
            Ok(Streaming::once(Item::named("unasked")))
        });
        let link = transport.connect(stock.server()).await;
        let client = InventoryClient::new(link.channel.clone());
        let (_sender, items) = Streaming::channel(1);
        let mut answers = client.sync(items).await.unwrap();
        assert_eq!(answers.message().await.unwrap(), Some(Item::named("unasked")));
        assert_eq!(answers.message().await.unwrap(), None);
    }

    async fn a_unary_method_takes_no_more_and_no_fewer_than_one_message(transport) {
        const GET: Method = Method::client_streaming("/inventory.v1.Inventory/Get");
        let link = transport.connect(Stock::new().server()).await;
        for count in [0, 2] {
            let requests = (0..count).map(|number| GetRequest::named(number.to_string()));
            let body = Body::many(Streaming::from_iter(requests));
            let status = Call::<Item>::new(&link.channel, &GET, body).await.unwrap_err();
            assert_eq!(status.code(), Code::Unimplemented, "{count} messages: {status}");
        }
        let body = Body::many(Streaming::from_iter([GetRequest::named("one")]));
        assert_eq!(Call::<Item>::new(&link.channel, &GET, body).await.unwrap(), Item::named("one"));
        link.assert_one_connection();
    }

    async fn what_is_not_served_is_unimplemented(transport) {
        const METHOD: Method = Method::unary("/inventory.v1.Inventory/Burn");
        const SERVICE: Method = Method::unary("/inventory.v2.Inventory/Get");
        const STREAM: Method = Method::bidi_streaming("/inventory.v1.Inventory/Burn");
        let link = transport.connect(Stock::new().server()).await;
        for method in [&METHOD, &SERVICE] {
            let body = Body::one(GetRequest::named("anvil"));
            let status = Call::<Item>::new(&link.channel, method, body).await.unwrap_err();
            assert_eq!(status.code(), Code::Unimplemented, "{status}");
        }
        let (_sender, items) = Streaming::<Item>::channel(1);
        let status = Call::<Streaming<Item>>::new(&link.channel, &STREAM, Body::many(items)).await.unwrap_err();
        assert_eq!(status.code(), Code::Unimplemented, "{status}");
        link.assert_one_connection();
    }
}
