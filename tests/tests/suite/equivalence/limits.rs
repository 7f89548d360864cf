use polywire::{Code, Codec, Limits, Streaming};
use polywire_tests::{
    inventory::{GetRequest, InventoryClient, Item, Stock, WatchRequest},
    link::{Link, Terms, Transport},
    on_every_transport,
};
use prost::Message;

const LIMIT: usize = 64 << 10;

fn limited(max_message_bytes: usize) -> Limits {
    Limits { max_message_bytes, ..Limits::default() }
}

/// A server of [`LIMIT`] and a client that sends and takes more.
async fn strict_server(transport: Transport, stock: Stock) -> Link {
    let terms = Terms { server: limited(LIMIT), codec: Some(Codec::Protobuf), ..Terms::default() };
    transport.connect_with(stock.server(), terms).await
}

/// A client of [`LIMIT`] and a server that sends and takes more.
async fn strict_client(transport: Transport, stock: Stock) -> Link {
    let terms = Terms { client: limited(LIMIT), codec: Some(Codec::Protobuf), ..Terms::default() };
    transport.connect_with(stock.server(), terms).await
}

/// A request of this many bytes in protobuf.
fn request_of(bytes: usize) -> GetRequest {
    let mut request = GetRequest { picture: vec![0xab; bytes].into(), ..GetRequest::default() };
    let surplus = request.encoded_len() - bytes;
    request.picture.truncate(bytes - surplus);
    assert_eq!(request.encoded_len(), bytes);
    request
}

/// A stock that answers `get` and `watch` by an item that is larger than what is asked for.
fn generous() -> Stock {
    Stock::new()
        .on_get(async |_, request: GetRequest| Ok(Item::pictured(request.name.parse().unwrap())))
        .on_watch(async |_, request: WatchRequest| {
            Ok(Streaming::from_iter([Item::named("small"), Item::pictured(request.count as usize)]))
        })
}

on_every_transport! {
    async fn a_request_larger_than_the_server_takes_costs_its_call_alone(transport) {
        if !transport.is_network() {
            return;
        }
        let link = strict_server(transport, Stock::new()).await;
        let client = InventoryClient::new(link.channel.clone());
        let (sender, bystanders) = Streaming::channel(1);
        let mut bystander = client.sync(bystanders).await.unwrap();
        for size in [LIMIT + 1, 1 << 20] {
            let status = client.get(request_of(size)).await.unwrap_err();
            assert_eq!(status.code(), Code::ResourceExhausted, "{status}");
        }
        client.get(request_of(LIMIT - 16)).await.unwrap();
        sender.send(Ok(Item::named("still here"))).await.unwrap();
        assert_eq!(bystander.message().await.unwrap(), Some(Item::named("still here")));
        link.assert_one_connection();
    }

    async fn the_limit_itself_still_fits(transport) {
        if !transport.is_network() {
            return;
        }
        let stock = Stock::new().on_get(async |_, request: GetRequest| Ok(Item::named(request.picture.len().to_string())));
        let link = strict_server(transport, stock).await;
        let client = InventoryClient::new(link.channel.clone());
        let request = request_of(LIMIT);
        let expected = request.picture.len().to_string();
        assert_eq!(client.get(request).await.unwrap().name, expected);
    }

    async fn a_request_amid_a_stream_that_is_too_large_costs_its_call_alone(transport) {
        if !transport.is_network() {
            return;
        }
        let link = strict_server(transport, Stock::new()).await;
        let client = InventoryClient::new(link.channel.clone());
        let items = [Item::named("small"), Item::pictured(2 * LIMIT), Item::named("behind")];
        let status = client.import(Streaming::from_iter(items)).await.unwrap_err();
        assert_eq!(status.code(), Code::ResourceExhausted, "{status}");
        client.get(GetRequest::default()).await.unwrap();
        link.assert_one_connection();
    }

    async fn an_answer_larger_than_the_server_sends_costs_its_call_alone(transport) {
        if !transport.is_network() {
            return;
        }
        let link = strict_server(transport, generous()).await;
        let client = InventoryClient::new(link.channel.clone());
        let status = client.get(GetRequest::named((2 * LIMIT).to_string())).await.unwrap_err();
        assert_eq!(status.code(), Code::ResourceExhausted, "{status}");
        client.get(GetRequest::named("1")).await.unwrap();
        link.assert_one_connection();
    }

    async fn an_answer_larger_than_the_client_takes_costs_its_call_alone(transport) {
        if !transport.is_network() {
            return;
        }
        let link = strict_client(transport, generous()).await;
        let client = InventoryClient::new(link.channel.clone());
        let status = client.get(GetRequest::named((2 * LIMIT).to_string())).await.unwrap_err();
        assert_eq!(status.code(), Code::ResourceExhausted, "{status}");
        let mut items = client.watch(WatchRequest { count: 2 * LIMIT as u32 }).await.unwrap();
        assert_eq!(items.message().await.unwrap(), Some(Item::named("small")));
        let status = items.message().await.unwrap_err();
        assert_eq!(status.code(), Code::ResourceExhausted, "{status}");
        client.get(GetRequest::named("1")).await.unwrap();
        link.assert_one_connection();
    }

    async fn a_request_larger_than_the_client_sends_is_not_sent(transport) {
        if !transport.is_network() {
            return;
        }
        let link = strict_client(transport, Stock::new()).await;
        let client = InventoryClient::new(link.channel.clone());
        let status = client.get(request_of(2 * LIMIT)).await.unwrap_err();
        assert_eq!(status.code(), Code::ResourceExhausted, "{status}");
        let status = client.import(Streaming::from_iter([Item::pictured(2 * LIMIT)])).await.unwrap_err();
        assert_eq!(status.code(), Code::ResourceExhausted, "{status}");
        client.get(GetRequest::default()).await.unwrap();
        link.assert_one_connection();
    }

    async fn a_method_may_take_less_than_its_transport(transport) {
        if !transport.is_network() {
            return;
        }
        let stock = Stock::new().on_get(async |_, request: GetRequest| match request.name.as_str() {
            "large" => Ok(Item::pictured(2_000)),
            _ => Ok(Item::named("small")),
        });
        let terms = Terms { codec: Some(Codec::Protobuf), ..Terms::default() };
        let link = transport.connect_with(stock.server(), terms).await;
        let client = InventoryClient::new(link.channel.clone());
        client.label(request_of(1_024)).await.unwrap();
        for request in [request_of(1_025), GetRequest::named("large")] {
            let status = client.label(request.clone()).await.unwrap_err();
            assert_eq!(status.code(), Code::ResourceExhausted, "{status}");
            client.get(request).await.unwrap();
        }
        link.assert_one_connection();
    }
}
