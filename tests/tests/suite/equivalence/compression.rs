use futures_util::StreamExt;
use polywire::{Code, Codec, Compression, Context, Limits, Response, Streaming};
use polywire_tests::{
    inventory::{GetRequest, InventoryClient, Item, Stock, WatchRequest},
    link::{Link, Terms, Transport},
    on_every_transport,
};

const LIMIT: usize = 64 << 10;

/// A server of [`LIMIT`], and a client of it.
async fn strict(transport: Transport, stock: Stock) -> Link {
    let limits = Limits { max_message_bytes: LIMIT, ..Limits::default() };
    let terms = Terms { server: limits, codec: Some(Codec::Protobuf), ..Terms::default() };
    transport.connect_with(stock.server(), terms).await
}

/// A stock that says of each call how its requests are compressed, and answers a stream likewise for each item.
fn telling() -> Stock {
    Stock::new()
        .on_get(async |arrival, request: GetRequest| {
            let item = Item { picture: request.picture, ..Item::named(name(arrival.compression)) };
            let response = Response::new(item);
            Ok(match request.name.parse() {
                Ok(compression) => response.with_compression(compression),
                Err(_) => response,
            })
        })
        .on_sync(async |arrival, mut items: Streaming<Item>| {
            let (sender, answers) = Streaming::channel(1);
            tokio::spawn(async move {
                while let Ok(Some(item)) = items.message().await {
                    let told = Item { name: name(items.last_compression()).into(), ..item };
                    if sender.send(Ok(told)).await.is_err() {
                        return;
                    }
                }
            });
            let response = Response::new(answers.compress_if(|item: &Item| item.count == 1));
            Ok(match arrival.compression {
                Some(compression) => response.with_compression(compression),
                None => response,
            })
        })
}

fn name(compression: Option<Compression>) -> &'static str {
    compression.map_or("plain", Compression::name)
}

/// An item that gets smaller by being compressed, and is told to be or not to be.
fn large(compressed: bool) -> Item {
    Item { count: compressed.into(), ..Item::pictured(4_000) }
}

on_every_transport! {
    async fn requests_and_answers_are_compressed_as_each_side_asks(transport) {
        let link = transport.connect(telling().server()).await;
        let client = InventoryClient::new(link.channel.clone());
        let ways = [None, Some(Compression::Gzip), Some(Compression::Zstd)];
        for (asked, answered) in ways.into_iter().flat_map(|one| ways.map(|other| (one, other))) {
            let request = GetRequest { name: name(answered).into(), picture: vec![7; 10_000].into() };
            let call = client.get(request.clone());
            let call = match asked {
                Some(compression) => call.compression(compression),
                None => call,
            };
            let response = call.response().await.unwrap();
            assert_eq!(response.compression, answered);
            assert_eq!((&*response.message.name, response.message.picture), (name(asked), request.picture));
        }
        link.assert_one_connection();
    }

    async fn a_message_that_would_not_get_smaller_says_that_it_came_plain(transport) {
        let link = transport.connect(telling().server()).await;
        let client = InventoryClient::new(link.channel.clone());
        let call = client.get(GetRequest::named("gzip")).compression(Compression::Gzip);
        let response = call.response().await.unwrap();
        // Within the process nobody tries.
        let expected = (transport == Transport::InProcess).then_some(Compression::Gzip);
        assert_eq!((response.compression, &*response.message.name), (expected, name(expected)));
    }

    async fn a_stream_chooses_for_each_message(transport) {
        let link = transport.connect(telling().server()).await;
        let client = InventoryClient::new(link.channel.clone());
        for compression in Compression::ALL {
            let choices = [true, false, true, true, false];
            let items = Streaming::from_iter(choices.map(large)).compress_if(|item: &Item| item.count == 1);
            let call = client.sync(items).compression(compression);
            let mut answers = call.response().await.unwrap();
            assert_eq!(answers.compression, Some(compression));
            for compressed in choices {
                let answer = answers.message.message().await.unwrap().unwrap();
                let expected = compressed.then_some(compression);
                assert_eq!(answer, Item { name: name(expected).into(), ..large(compressed) });
                assert_eq!(answers.message.last_compression(), expected);
            }
            assert_eq!(answers.message.message().await.unwrap(), None);
        }
    }

    async fn a_stream_without_a_choice_is_compressed_or_not_as_a_whole(transport) {
        let stock = Stock::new().on_watch(async |_, request: WatchRequest| {
            let response = Response::new(Streaming::from_iter([large(true), large(true)]));
            Ok(if request.count > 0 { response.with_compression(Compression::Zstd) } else { response })
        });
        let link = transport.connect(stock.server()).await;
        let client = InventoryClient::new(link.channel.clone());
        for (count, expected) in [(0, None), (1, Some(Compression::Zstd))] {
            let mut answers = client.watch(WatchRequest { count }).await.unwrap();
            while answers.message().await.unwrap().is_some() {
                assert_eq!(answers.last_compression(), expected);
            }
        }
    }

    async fn a_context_compresses_the_calls_that_are_part_of_it(transport) {
        let link = transport.connect(telling().server()).await;
        let cx = Context::new().with_compression(Compression::Gzip);
        let client = InventoryClient::new(link.channel.clone());
        assert_eq!(client.get(GetRequest::default()).context(&cx).await.unwrap().name, "gzip");
        let zstd = client.get(GetRequest::default()).compression(Compression::Zstd).context(&cx);
        assert_eq!(zstd.await.unwrap().name, "zstd");
    }

    async fn what_is_too_large_once_decompressed_costs_its_call_alone(transport) {
        if !transport.is_network() {
            return;
        }
        let link = strict(transport, telling()).await;
        let client = InventoryClient::new(link.channel.clone());
        for compression in Compression::ALL {
            // What travels is a thousandth of it.
            let bomb = GetRequest { picture: vec![0; 3 << 20].into(), ..GetRequest::default() };
            let status = client.get(bomb).compression(compression).await.unwrap_err();
            assert_eq!(status.code(), Code::ResourceExhausted, "{status}");
            assert!(status.message().contains(compression.name()), "{status}");
            let items = Streaming::from_iter([large(true), Item::pictured(2 << 20), large(true)]);
            let status = client.import(items).compression(compression).await.unwrap_err();
            assert_eq!(status.code(), Code::ResourceExhausted, "{status}");
            client.get(GetRequest::default()).compression(compression).await.unwrap();
        }
        link.assert_one_connection();
    }

    async fn an_answer_too_large_once_decompressed_fails_its_call_alone(transport) {
        if !transport.is_network() {
            return;
        }
        let stock = Stock::new().on_watch(async |_, request: WatchRequest| {
            let items = [Item::named("small"), Item::pictured(request.count as usize)];
            Ok(Response::new(Streaming::from_iter(items)).with_compression(Compression::Gzip))
        });
        let limits = Limits { max_message_bytes: LIMIT, ..Limits::default() };
        let link = transport.connect_with(stock.server(), Terms { client: limits, ..Terms::default() }).await;
        let client = InventoryClient::new(link.channel.clone());
        let mut items = client.watch(WatchRequest { count: 1 << 20 }).await.unwrap();
        assert_eq!(items.message().await.unwrap(), Some(Item::named("small")));
        let status = items.message().await.unwrap_err();
        assert_eq!(status.code(), Code::ResourceExhausted, "{status}");
        let fitting = client.watch(WatchRequest { count: LIMIT as u32 / 2 }).await.unwrap();
        assert_eq!(fitting.count().await, 2);
        link.assert_one_connection();
    }

    async fn messages_that_would_not_get_smaller_arrive_all_the_same(transport) {
        let link = transport.connect(telling().server()).await;
        let client = InventoryClient::new(link.channel.clone());
        for compression in Compression::ALL {
            let response = client.get(GetRequest::named("zstd")).compression(compression).response().await.unwrap();
            // What the direction is compressed with is said whatever becomes of a message.
            assert_eq!((&*response.message.name, response.compression), (compression.name(), Some(Compression::Zstd)));
        }
    }
}
