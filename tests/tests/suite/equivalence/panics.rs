use futures_util::StreamExt;
use polywire::{Code, Streaming};
use polywire_tests::{
    inventory::{GetRequest, InventoryClient, Item, Stock, Summary, WatchRequest},
    on_every_transport,
};

/// Panics before it answers, amid its answers, and while it reads.
fn clumsy() -> Stock {
    Stock::new()
        .on_get(async |_, request: GetRequest| {
            assert_ne!(request.name, "drop it", "a secret of the server's");
            Ok(Item::named(request.name))
        })
        .on_watch(async |_, _: WatchRequest| {
            let items = futures_util::stream::iter(0..2).map(|number| {
                assert_eq!(number, 0, "a secret of the server's");
                Ok(Item::named("whole"))
            });
            Ok(Streaming::new(items))
        })
        .on_import(async |_, mut items: Streaming<Item>| {
            assert!(items.message().await?.is_none(), "a secret of the server's");
            Ok(Summary::default())
        })
}

on_every_transport! {
    async fn a_panic_is_internal_for_its_call_and_nothing_else_notices(transport) {
        let link = transport.connect(clumsy().server()).await;
        let client = InventoryClient::new(link.channel.clone());
        let (sender, bystanders) = Streaming::channel(1);
        let mut bystander = client.sync(bystanders).await.unwrap();

        let status = client.get(GetRequest::named("drop it")).await.unwrap_err();
        assert_eq!(status.code(), Code::Internal, "{status}");
        assert!(!status.message().contains("secret"), "{status}");

        let mut items = client.watch(WatchRequest::default()).await.unwrap();
        assert_eq!(items.message().await.unwrap(), Some(Item::named("whole")));
        let status = items.message().await.unwrap_err();
        assert_eq!(status.code(), Code::Internal, "{status}");

        let status = client.import(Streaming::once(Item::default())).await.unwrap_err();
        assert_eq!(status.code(), Code::Internal, "{status}");

        sender.send(Ok(Item::named("still here"))).await.unwrap();
        assert_eq!(bystander.message().await.unwrap(), Some(Item::named("still here")));
        assert_eq!(client.get(GetRequest::named("next")).await.unwrap(), Item::named("next"));
        link.assert_one_connection();
    }
}
