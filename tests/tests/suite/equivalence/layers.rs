use polywire::{Code, Service as _, ServiceExt as _, Status, Streaming, layer::wrap};
use polywire_tests::{
    bearer::{Bearer, TOKEN, sending},
    inventory::{GetRequest, InventoryClient, Item, Stock, WatchRequest},
    on_every_transport,
};

/// How a call of each shape ends.
async fn every_shape(client: &InventoryClient) -> [Result<(), Status>; 4] {
    let items = || Streaming::from_iter([Item::named("anvil"), Item::named("bolt")]);
    let drain = async |answers: Result<Streaming<Item>, Status>| {
        let mut answers = answers?;
        while answers.message().await?.is_some() {}
        Ok(())
    };
    [
        client.get(GetRequest::named("anvil")).metadata("tenant", "blue").await.map(drop),
        drain(client.watch(WatchRequest { count: 3 }).await).await,
        client.import(items()).await.map(drop),
        drain(client.sync(items()).await).await,
    ]
}

on_every_transport! {
    async fn a_layer_lets_in_those_with_a_token_and_a_client_sends_it_with_every_call(transport) {
        let stock = Stock::new().on_get(async |arrival, request: GetRequest| {
            assert_eq!(arrival.metadata.get("tenant"), Some("blue"), "the callers own metadata stay");
            Ok(Item::named(request.name))
        });
        let link = transport.connect(stock.server().layer(&wrap(Bearer))).await;
        for outcome in every_shape(&InventoryClient::new(link.channel.clone())).await {
            let status = outcome.unwrap_err();
            assert_eq!(status.code(), Code::Unauthenticated, "{status}");
            assert_eq!(status.message(), "expected `authorization: Bearer TOKEN`");
        }
        let client = InventoryClient::new(link.channel.clone().layer(&sending("open-barley")));
        for outcome in every_shape(&client).await {
            assert_eq!(outcome.unwrap_err().message(), "the token is not known here");
        }
        let client = InventoryClient::new(link.channel.clone().layer(&sending(TOKEN)));
        for outcome in every_shape(&client).await {
            outcome.unwrap();
        }
        link.assert_one_connection();
    }
}
