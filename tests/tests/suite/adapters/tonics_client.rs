use polywire::{Metadata, Response, Status, Streaming};
use polywire_tests::inventory::{GetRequest, Item, Stock, Summary, WatchRequest};
use tokio::net::TcpListener;
use tokio_stream::{StreamExt, wrappers::TcpListenerStream};
use tonic::{
    Code, Request,
    client::Grpc,
    codegen::http::uri::PathAndQuery,
    transport::{Channel, Endpoint, Server},
};
use tonic_prost::ProstCodec;

/// tonic's own client, without any generated code, against our service.
async fn client(stock: Stock) -> Grpc<Channel> {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let server = Server::builder().add_service(stock.server().into_grpc());
    tokio::spawn(server.serve_with_incoming(TcpListenerStream::new(listener)));
    let channel = Endpoint::from_shared(format!("http://{address}")).unwrap().connect().await.unwrap();
    Grpc::new(channel)
}

fn sample(text: &str) -> Metadata {
    let mut metadata = Metadata::new();
    metadata.insert("text", text).unwrap();
    metadata.insert_bin("raw-bin", vec![0, 0xff]).unwrap();
    metadata
}

fn path(method: &'static str) -> PathAndQuery {
    PathAndQuery::from_static(method)
}

#[tokio::test]
async fn tonics_client_makes_calls_of_every_shape() {
    let mut client = client(Stock::new()).await;
    let names = || tokio_stream::iter(["a", "b"].map(Item::named));

    client.ready().await.unwrap();
    let codec = ProstCodec::<GetRequest, Item>::default();
    let request = Request::new(GetRequest::named("anvil"));
    let item = client.unary(request, path("/inventory.v1.Inventory/Get"), codec).await.unwrap();
    assert_eq!(item.into_inner(), Item::named("anvil"));

    client.ready().await.unwrap();
    let codec = ProstCodec::<WatchRequest, Item>::default();
    let request = Request::new(WatchRequest { count: 3 });
    let items = client.server_streaming(request, path("/inventory.v1.Inventory/Watch"), codec).await.unwrap();
    let items: Vec<_> = items.into_inner().map(|item| item.unwrap().name).collect().await;
    assert_eq!(items, ["0", "1", "2"]);

    client.ready().await.unwrap();
    let codec = ProstCodec::<Item, Summary>::default();
    let request = Request::new(names());
    let summary =
        client.client_streaming(request, path("/inventory.v1.Inventory/Import"), codec).await.unwrap();
    assert_eq!(summary.into_inner().names, ["a", "b"]);

    client.ready().await.unwrap();
    let codec = ProstCodec::<Item, Item>::default();
    let items =
        client.streaming(Request::new(names()), path("/inventory.v1.Inventory/Sync"), codec).await.unwrap();
    let items: Vec<_> = items.into_inner().map(|item| item.unwrap().name).collect().await;
    assert_eq!(items, ["a", "b"]);
}

#[tokio::test]
async fn tonics_client_sees_metadata_and_statuses_as_they_were_given() {
    let stock = Stock::new().on_get(async |arrival, _| match arrival.metadata.get_bin("sent-bin") {
        Some(sent) if sent.as_ref() == [0, 0xfe] => {
            Ok(Response::new(Item::default()).with_metadata(sample("lead")))
        }
        _ => {
            let failure = Status::not_found("weg: %größer%").with_details(vec![1, 0xff]);
            Err(failure.with_metadata(sample("trail")))
        }
    });
    let mut client = client(stock).await;
    client.ready().await.unwrap();
    let mut request = Request::new(GetRequest::default());
    request.metadata_mut().insert_bin("sent-bin", tonic::metadata::MetadataValue::from_bytes(&[0, 0xfe]));
    let codec = ProstCodec::<GetRequest, Item>::default();
    let answer = client.unary(request, path("/inventory.v1.Inventory/Get"), codec).await.unwrap();
    assert_eq!(answer.metadata().get("text").unwrap(), "lead");
    assert_eq!(answer.metadata().get_bin("raw-bin").unwrap().to_bytes().unwrap().as_ref(), [0, 0xff]);

    client.ready().await.unwrap();
    let request = Request::new(GetRequest::default());
    let codec = ProstCodec::<GetRequest, Item>::default();
    let status = client.unary(request, path("/inventory.v1.Inventory/Get"), codec).await.unwrap_err();
    assert_eq!((status.code(), status.message()), (Code::NotFound, "weg: %größer%"));
    assert_eq!(status.details(), [1, 0xff]);
    assert_eq!(status.metadata().get("text").unwrap(), "trail");
}

#[tokio::test]
async fn a_server_stream_of_a_tonic_client_carries_the_shape_whatever_the_client_calls_it() {
    // A client that streams its only message is no different on the wire.
    let mut client = client(Stock::new().on_watch(async |_, request: WatchRequest| {
        Ok(Streaming::from_iter([Item::named(request.count.to_string())]))
    }))
    .await;
    client.ready().await.unwrap();
    let codec = ProstCodec::<WatchRequest, Item>::default();
    let requests = Request::new(tokio_stream::iter([WatchRequest { count: 7 }]));
    let items = client.streaming(requests, path("/inventory.v1.Inventory/Watch"), codec).await.unwrap();
    let items: Vec<_> = items.into_inner().map(|item| item.unwrap().name).collect().await;
    assert_eq!(items, ["7"]);
}
