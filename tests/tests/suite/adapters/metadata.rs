use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use polywire::Code;
use polywire_tests::inventory::{GetRequest, InventoryClient, Item, Stock};

#[tokio::test]
async fn what_no_transport_carries_is_refused_before_it_is_sent() {
    let calls = Arc::new(AtomicUsize::new(0));
    let counter = calls.clone();
    let stock = Stock::new().on_get(move |_, _| {
        counter.fetch_add(1, Ordering::SeqCst);
        async { Ok(Item::default()) }
    });
    let client = InventoryClient::new(stock.server());
    let reserved = [("grpc-timeout", "1S"), ("te", "x"), ("polywire-not-processed", "1")];
    let malformed = [("Upper", "x"), ("a", "ü"), ("a-bin", "x"), ("", "x"), ("a", " x"), ("a", "x ")];
    for (key, value) in reserved.into_iter().chain(malformed) {
        let status = client.get(GetRequest::default()).metadata(key, value).await.unwrap_err();
        assert_eq!(status.code(), Code::InvalidArgument, "{key}: {status}");
    }
    assert_eq!(calls.load(Ordering::SeqCst), 0);
}
