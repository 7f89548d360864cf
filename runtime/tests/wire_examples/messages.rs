//! The messages of the page.

use std::collections::BTreeMap;

use bytes::{Bytes, BytesMut};
use polywire::{Codec, Message};

#[derive(Clone, PartialEq, prost::Message, serde::Serialize, serde::Deserialize)]
#[serde(default)]
pub(super) struct GetRequest {
    #[prost(string, tag = "1")]
    pub(super) name: String,
}

#[derive(Clone, PartialEq, prost::Message, serde::Serialize, serde::Deserialize)]
#[serde(default)]
pub(super) struct Item {
    #[prost(string, tag = "1")]
    pub(super) name: String,
    #[prost(uint32, tag = "2")]
    pub(super) count: u32,
    #[prost(bytes = "bytes", tag = "3")]
    pub(super) picture: Bytes,
    #[prost(enumeration = "Colour", tag = "4")]
    pub(super) colour: i32,
}

#[derive(Clone, PartialEq, prost::Message, serde::Serialize, serde::Deserialize)]
#[serde(default)]
pub(super) struct Search {
    #[prost(uint32, optional, tag = "1")]
    pub(super) maximum: Option<u32>,
    #[prost(bytes = "bytes", repeated, tag = "2")]
    pub(super) pictures: Vec<Bytes>,
    #[prost(btree_map = "string, uint32", tag = "3")]
    pub(super) counts: BTreeMap<String, u32>,
    #[prost(oneof = "By", tags = "4, 5")]
    pub(super) by: Option<By>,
}

#[derive(Clone, PartialEq, prost::Oneof, serde::Serialize, serde::Deserialize)]
pub(super) enum By {
    #[prost(string, tag = "4")]
    FullName(String),
    #[prost(uint32, tag = "5")]
    Number(u32),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, prost::Enumeration)]
#[repr(i32)]
pub(super) enum Colour {
    Unspecified = 0,
    Red = 1,
}

pub(super) fn request() -> GetRequest {
    GetRequest { name: "nut".into() }
}

pub(super) fn nut() -> Item {
    let picture = Bytes::from_static(&[0xff, 0]);
    Item { name: "nut".into(), count: 3, picture, colour: Colour::Red.into() }
}

pub(super) fn named(name: &str) -> Item {
    Item { name: name.into(), ..Item::default() }
}

pub(super) fn search() -> Search {
    Search {
        maximum: None,
        pictures: vec![Bytes::from_static(&[0xff]), Bytes::new()],
        counts: BTreeMap::from([("a".into(), 1)]),
        by: Some(By::FullName("x".into())),
    }
}

/// The messages as our own codecs write them, and read them back.
pub(super) fn encoded<M: Message + PartialEq>(codec: Codec, messages: &[M]) -> Vec<Bytes> {
    let encode = |message| {
        let mut buffer = BytesMut::new();
        codec.encode(message, &mut buffer).unwrap();
        let bytes = buffer.freeze();
        assert!(codec.decode::<M>(bytes.clone()).unwrap() == *message, "{codec} loses something");
        bytes
    };
    messages.iter().map(encode).collect()
}
