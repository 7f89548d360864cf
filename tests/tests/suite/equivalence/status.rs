use std::{error::Error, fmt};

use polywire::{Code, Status, Streaming};
use polywire_tests::{
    inventory::{GetRequest, InventoryClient, Item, Stock, WatchRequest},
    on_every_transport,
};

/// Text that is neither ASCII nor one line, and that looks escaped already.
const MESSAGE: &str = "100 % größer als %41 ∞\n二行目\t\u{1F980}";

fn failure(number: usize) -> Status {
    Status::new(Code::ALL[number], format!("{number}: {MESSAGE}")).with_details(vec![
        0,
        0xff,
        number as u8,
        b'\n',
    ])
}

#[track_caller]
fn assert_failure(status: &Status, number: usize) {
    let expected = failure(number);
    assert_eq!(status.code(), expected.code());
    assert_eq!(status.message(), expected.message());
    assert_eq!(status.details(), expected.details());
}

/// An error of the user's own.
#[derive(Debug)]
struct OutOfStock;

impl fmt::Display for OutOfStock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the shelf in the cellar is empty")
    }
}

impl Error for OutOfStock {}

on_every_transport! {
    async fn every_code_arrives_with_its_message_and_details(transport) {
        let stock = Stock::new()
            .on_get(async |_, request: GetRequest| Err::<Item, _>(failure(request.name.parse().unwrap())));
        let link = transport.connect(stock.server()).await;
        let client = InventoryClient::new(link.channel.clone());
        for number in 1..Code::ALL.len() {
            let status = client.get(GetRequest::named(number.to_string())).await.unwrap_err();
            assert_failure(&status, number);
        }
        link.assert_one_connection();
    }

    async fn every_code_ends_a_stream_behind_its_last_message(transport) {
        let stock = Stock::new().on_watch(async |_, request: WatchRequest| {
            let failure = Err(failure(request.count as usize));
            Ok(Streaming::new(futures_util::stream::iter([Ok(Item::named("last")), failure])))
        });
        let link = transport.connect(stock.server()).await;
        let client = InventoryClient::new(link.channel.clone());
        for number in 1..Code::ALL.len() {
            let mut items = client.watch(WatchRequest { count: number as u32 }).await.unwrap();
            assert_eq!(items.message().await.unwrap(), Some(Item::named("last")));
            assert_failure(&items.message().await.unwrap_err(), number);
            assert_eq!(items.message().await.unwrap(), None);
        }
        link.assert_one_connection();
    }

    async fn a_handler_may_fail_before_it_has_read_its_requests(transport) {
        let stock = Stock::new()
            .on_import(async |_, _| Err::<polywire_tests::inventory::Summary, _>(failure(9)))
            .on_sync(async |_, _| Err::<Streaming<Item>, _>(failure(10)));
        let link = transport.connect(stock.server()).await;
        let client = InventoryClient::new(link.channel.clone());
        let (_sender, items) = Streaming::channel(1);
        assert_failure(&client.import(items).await.unwrap_err(), 9);
        let (_sender, items) = Streaming::channel(1);
        assert_failure(&client.sync(items).await.unwrap_err(), 10);
        link.assert_one_connection();
    }

    async fn an_error_of_ones_own_arrives_as_the_status_it_becomes_and_its_cause_stays_at_home(transport) {
        let stock = Stock::new().on_get(async |_, _| {
            Err::<Item, _>(Status::failed_precondition("out of stock").with_source(OutOfStock))
        });
        let link = transport.connect(stock.server()).await;
        let client = InventoryClient::new(link.channel.clone());
        let status = client.get(GetRequest::default()).await.unwrap_err();
        assert_eq!(status.to_string(), "FAILED_PRECONDITION: out of stock");
        if transport.is_network() {
            assert!(!format!("{status:?}").contains("cellar"));
        }
    }
}
