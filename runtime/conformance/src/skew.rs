//! Versions that meet: a field more, a field fewer, a value that only one of them knows.

use polywire::{Codec, Status, Streaming};
use serde::{Deserialize, Serialize};

use super::{
    check::{Verdict, same, some},
    rig::Rig,
};

const CODECS: [Codec; 2] = [Codec::Protobuf, Codec::MessagePack];

mod older {
    use super::*;

    /// Says nothing of what its fields are where they are not there, and neither does the newer.
    #[derive(Clone, PartialEq, prost::Message, Serialize, Deserialize)]
    pub(crate) struct Item {
        #[prost(string, tag = "1")]
        pub(super) name: String,
        #[prost(uint32, tag = "2")]
        pub(super) legacy: u32,
        #[prost(enumeration = "Colour", tag = "3")]
        pub(super) colour: i32,
    }

    #[derive(Clone, Copy, Debug, PartialEq, Eq, prost::Enumeration)]
    #[repr(i32)]
    pub(crate) enum Colour {
        Unknown = 0,
        Red = 1,
    }

    #[polywire::service(package = "polywire.conformance.v1")]
    pub(crate) trait Shelf {
        async fn swap(&self, item: Item) -> Result<Item, Status>;
        async fn flow(&self, items: Streaming<Item>) -> Result<Streaming<Item>, Status>;
    }
}

mod newer {
    use super::*;

    #[derive(Clone, PartialEq, prost::Message, Serialize, Deserialize)]
    pub(crate) struct Item {
        #[prost(string, tag = "1")]
        pub(super) name: String,
        // 2 was `legacy`.
        #[prost(enumeration = "Colour", tag = "3")]
        pub(super) colour: i32,
        #[prost(string, repeated, tag = "4")]
        pub(super) tags: Vec<String>,
        #[prost(message, optional, tag = "5")]
        pub(super) origin: Option<Origin>,
        #[prost(bytes = "vec", tag = "6")]
        pub(super) seal: Vec<u8>,
    }

    #[derive(Clone, PartialEq, prost::Message, Serialize, Deserialize)]
    #[serde(default)]
    pub(crate) struct Origin {
        #[prost(sint64, tag = "1")]
        pub(super) latitude: i64,
        #[prost(double, tag = "2")]
        pub(super) height: f64,
    }

    #[derive(Clone, Copy, Debug, PartialEq, Eq, prost::Enumeration)]
    #[repr(i32)]
    pub(crate) enum Colour {
        Unknown = 0,
        Red = 1,
        Ultraviolet = 7,
    }

    #[polywire::service(package = "polywire.conformance.v1")]
    pub(crate) trait Shelf {
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
        seal: vec![0xc1, 0, 0xff],
    }
}

fn old_item() -> older::Item {
    older::Item { name: "old".to_owned(), legacy: 5, colour: older::Colour::Red.into() }
}

/// What of the new item an old reader sees.
fn read_by_old() -> older::Item {
    older::Item { name: "new".to_owned(), legacy: 0, colour: newer::Colour::Ultraviolet.into() }
}

/// What of the old item a new reader sees.
fn read_by_new() -> newer::Item {
    newer::Item { name: "old".to_owned(), colour: newer::Colour::Red.into(), ..newer::Item::default() }
}

/// `Internal` where a handler was given something else than it should have been.
fn seen<T: PartialEq + std::fmt::Debug>(item: &T, expected: &T) -> Result<(), Status> {
    if item == expected {
        return Ok(());
    }
    Err(Status::internal(format!("the handler expected {expected:?}, found {item:?}")))
}

struct Old;

impl older::Shelf for Old {
    async fn swap(&self, item: older::Item) -> Result<older::Item, Status> {
        seen(&item, &read_by_old())?;
        Ok(old_item())
    }

    async fn flow(&self, mut items: Streaming<older::Item>) -> Result<Streaming<older::Item>, Status> {
        while let Some(item) = items.message().await? {
            seen(&item, &read_by_old())?;
        }
        Ok(Streaming::from_iter([old_item(), old_item()]))
    }
}

struct New;

impl newer::Shelf for New {
    async fn swap(&self, item: newer::Item) -> Result<newer::Item, Status> {
        seen(&item, &read_by_new())?;
        Ok(new_item())
    }

    async fn flow(&self, mut items: Streaming<newer::Item>) -> Result<Streaming<newer::Item>, Status> {
        while let Some(item) = items.message().await? {
            seen(&item, &read_by_new())?;
        }
        Ok(Streaming::from_iter([new_item(), new_item()]))
    }
}

pub(super) async fn old_client(rig: Rig) -> Verdict {
    let served = rig.serve_any(newer::ShelfServer::new(New)).await?;
    let client = older::ShelfClient::new(served.channel().await?);
    for codec in CODECS {
        let answer = client.swap(old_item()).codec(codec).await?;
        same("the answer", &answer, &read_by_old())?;
        same("a value that the reader does not know", &answer.colour(), &older::Colour::Unknown)?;
        let items = Streaming::from_iter([old_item(), old_item()]);
        let mut answers = client.flow(items).codec(codec).await?;
        same("the answer", &some(answers.message().await)?, &read_by_old())?;
    }
    Ok(())
}

pub(super) async fn new_client(rig: Rig) -> Verdict {
    let served = rig.serve_any(older::ShelfServer::new(Old)).await?;
    let client = newer::ShelfClient::new(served.channel().await?);
    for codec in CODECS {
        same("the answer", &client.swap(new_item()).codec(codec).await?, &read_by_new())?;
        let items = Streaming::from_iter([new_item(), new_item()]);
        let mut answers = client.flow(items).codec(codec).await?;
        same("the answer", &some(answers.message().await)?, &read_by_new())?;
    }
    Ok(())
}
