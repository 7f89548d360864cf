//! Versions that meet: a field more, a field fewer, a value that only one of them knows.

use polywire::{Codec, Status, Streaming};
use polywire_tests::on_every_transport;
use serde::{Deserialize, Serialize};

const CODECS: [Codec; 2] = [Codec::Protobuf, Codec::MessagePack];

mod older {
    use super::*;

    #[derive(Clone, PartialEq, prost::Message, Serialize, Deserialize)]
    #[serde(default)]
    pub(super) struct Item {
        #[prost(string, tag = "1")]
        pub(super) name: String,
        #[prost(uint32, tag = "2")]
        pub(super) legacy: u32,
        #[prost(enumeration = "Colour", tag = "3")]
        pub(super) colour: i32,
    }

    #[derive(Clone, Copy, Debug, PartialEq, Eq, prost::Enumeration)]
    #[repr(i32)]
    pub(super) enum Colour {
        Unknown = 0,
        Red = 1,
    }

    #[polywire::service(package = "skew.v1")]
    pub(super) trait Shelf {
        async fn swap(&self, item: Item) -> Result<Item, Status>;
        async fn flow(&self, items: Streaming<Item>) -> Result<Streaming<Item>, Status>;
    }
}

mod newer {
    use super::*;

    #[derive(Clone, PartialEq, prost::Message, Serialize, Deserialize)]
    #[serde(default)]
    pub(super) struct Item {
        #[prost(string, tag = "1")]
        pub(super) name: String,
        // 2 was `legacy`.
        #[prost(enumeration = "Colour", tag = "3")]
        pub(super) colour: i32,
        #[prost(string, repeated, tag = "4")]
        pub(super) tags: Vec<String>,
        #[prost(message, optional, tag = "5")]
        pub(super) origin: Option<Origin>,
        #[prost(bytes = "bytes", tag = "6")]
        pub(super) seal: bytes::Bytes,
    }

    #[derive(Clone, PartialEq, prost::Message, Serialize, Deserialize)]
    #[serde(default)]
    pub(super) struct Origin {
        #[prost(sint64, tag = "1")]
        pub(super) latitude: i64,
        #[prost(double, tag = "2")]
        pub(super) height: f64,
    }

    #[derive(Clone, Copy, Debug, PartialEq, Eq, prost::Enumeration)]
    #[repr(i32)]
    pub(super) enum Colour {
        Unknown = 0,
        Red = 1,
        Ultraviolet = 7,
    }

    #[polywire::service(package = "skew.v1")]
    pub(super) trait Shelf {
        async fn swap(&self, item: Item) -> Result<Item, Status>;
        async fn flow(&self, items: Streaming<Item>) -> Result<Streaming<Item>, Status>;
    }
}

fn new_item() -> newer::Item {
    newer::Item {
        name: "new".to_owned(),
        colour: newer::Colour::Ultraviolet.into(),
        tags: vec!["a".to_owned(), "b".to_owned()],
        origin: Some(newer::Origin { latitude: -1, height: 8848.86 }),
        seal: vec![0xc1, 0, 0xff].into(),
    }
}

fn old_item() -> older::Item {
    older::Item { name: "old".to_owned(), legacy: 5, colour: older::Colour::Red.into() }
}

/// What of the new item an old reader sees.
#[track_caller]
fn assert_read_by_old(item: &older::Item) {
    assert_eq!((item.name.as_str(), item.legacy, item.colour), ("new", 0, 7));
    assert_eq!(item.colour(), older::Colour::Unknown);
}

/// What of the old item a new reader sees.
#[track_caller]
fn assert_read_by_new(item: &newer::Item) {
    let expected = newer::Item { name: "old".to_owned(), colour: 1, ..newer::Item::default() };
    assert_eq!(item, &expected);
}

struct Old;

impl older::Shelf for Old {
    async fn swap(&self, item: older::Item) -> Result<older::Item, Status> {
        assert_read_by_old(&item);
        Ok(old_item())
    }

    async fn flow(&self, mut items: Streaming<older::Item>) -> Result<Streaming<older::Item>, Status> {
        while let Some(item) = items.message().await? {
            assert_read_by_old(&item);
        }
        Ok(Streaming::from_iter([old_item(), old_item()]))
    }
}

struct New;

impl newer::Shelf for New {
    async fn swap(&self, item: newer::Item) -> Result<newer::Item, Status> {
        assert_read_by_new(&item);
        Ok(new_item())
    }

    async fn flow(&self, mut items: Streaming<newer::Item>) -> Result<Streaming<newer::Item>, Status> {
        while let Some(item) = items.message().await? {
            assert_read_by_new(&item);
        }
        Ok(Streaming::from_iter([new_item(), new_item()]))
    }
}

on_every_transport! {
    async fn an_old_client_and_a_new_server_understand_each_other(transport) {
        let link = transport.connect(newer::ShelfServer::new(New)).await;
        let client = older::ShelfClient::new(link.channel.clone());
        for codec in CODECS {
            assert_read_by_old(&client.swap(old_item()).codec(codec).await.unwrap());
            let items = Streaming::from_iter([old_item(), old_item()]);
            let mut answers = client.flow(items).codec(codec).await.unwrap();
            assert_read_by_old(&answers.message().await.unwrap().unwrap());
        }
    }

    async fn a_new_client_and_an_old_server_understand_each_other(transport) {
        let link = transport.connect(older::ShelfServer::new(Old)).await;
        let client = newer::ShelfClient::new(link.channel.clone());
        for codec in CODECS {
            assert_read_by_new(&client.swap(new_item()).codec(codec).await.unwrap());
            let items = Streaming::from_iter([new_item(), new_item()]);
            let mut answers = client.flow(items).codec(codec).await.unwrap();
            assert_read_by_new(&answers.message().await.unwrap().unwrap());
        }
    }
}
