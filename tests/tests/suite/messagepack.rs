//! What messages are in MessagePack, byte for byte.

use bytes::BytesMut;
use polywire::Codec;
use polywire_tests::inventory::{Item, WatchRequest};

/// Bytes that come as the vectors of prost's default.
#[derive(Clone, PartialEq, prost::Message, serde::Serialize, serde::Deserialize)]
#[serde(default)]
struct Blob {
    #[prost(bytes = "vec", tag = "1")]
    data: Vec<u8>,
}

#[test]
fn bytes_travel_as_binary_in_messagepack_whichever_type_holds_them() {
    let data = Vec::from_iter((0..300).map(|number| (number % 251) as u8));
    let mut shared = BytesMut::new();
    let item = Item { picture: data.clone().into(), ..Item::default() };
    Codec::MessagePack.encode(&item, &mut shared).unwrap();
    let mut vector = BytesMut::new();
    Codec::MessagePack.encode(&Blob { data: data.clone() }, &mut vector).unwrap();
    // bin 16, 300 bytes long, and the bytes as they are.
    let expected = [&[0xc5, 0x01, 0x2c], data.as_slice()].concat();
    for encoded in [&shared, &vector] {
        assert!(encoded.windows(expected.len()).any(|window| window == expected));
    }
    let decoded: Blob = Codec::MessagePack.decode(vector.freeze()).unwrap();
    assert_eq!(decoded.data, data);
}

#[test]
fn messages_travel_as_maps_of_names_in_messagepack() {
    let mut encoded = BytesMut::new();
    Codec::MessagePack.encode(&WatchRequest { count: 7 }, &mut encoded).unwrap();
    // A map of one entry, "count" to 7.
    assert_eq!(encoded, b"\x81\xa5count\x07".as_slice());
}
