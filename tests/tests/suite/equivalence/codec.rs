use bytes::{Bytes, BytesMut};
use polywire::{Codec, Streaming};
use polywire_tests::{
    inventory::{Condition, GetRequest, InventoryClient, Item, Stock, Summary, WatchRequest},
    link::Terms,
    on_every_transport,
};

const CODECS: [Codec; 2] = [Codec::Protobuf, Codec::MessagePack];

/// An item that has every kind of field.
fn rich() -> Item {
    Item {
        name: "größer".to_owned(),
        count: u32::MAX,
        picture: Bytes::from(Vec::from_iter(0..=255)),
        condition: Condition::Worn.into(),
        labels: [("a".to_owned(), "1".to_owned()), (String::new(), String::new())].into(),
        part: Some(Box::new(Item::named("handle"))),
    }
}

on_every_transport! {
    async fn each_call_of_each_shape_may_choose_its_codec(transport) {
        let stock = Stock::new().on_get(async |arrival, request: GetRequest| {
            let codec = arrival.codec.map_or("none", Codec::name);
            assert!(codec == request.name || arrival.caller.is_none(), "{codec}, not {}", request.name);
            Ok(rich())
        });
        let link = transport.connect(stock.server()).await;
        let client = InventoryClient::new(link.channel.clone());
        for codec in CODECS {
            let item = client.get(GetRequest::named(codec.name())).codec(codec).await.unwrap();
            assert_eq!(item, rich());
            let mut items = client.watch(WatchRequest { count: 1 }).codec(codec).await.unwrap();
            assert_eq!(items.message().await.unwrap(), Some(Item::named("0")));
            let summary = client.import(Streaming::from_iter([rich(), rich()])).codec(codec).await.unwrap();
            assert_eq!(summary, Summary { names: vec![rich().name; 2] });
            let mut items = client.sync(Streaming::from_iter([rich()])).codec(codec).await.unwrap();
            assert_eq!(items.message().await.unwrap(), Some(rich()));
        }
        link.assert_one_connection();
    }

    async fn a_connection_has_a_codec_for_calls_that_name_none(transport) {
        if !transport.is_network() {
            return;
        }
        for codec in CODECS {
            let stock = Stock::new()
                .on_get(async |arrival, _| Ok(Item::named(arrival.codec.map_or("none", Codec::name))));
            let terms = Terms { codec: Some(codec), ..Terms::default() };
            let link = transport.connect_with(stock.server(), terms).await;
            let client = InventoryClient::new(link.channel.clone());
            assert_eq!(client.get(GetRequest::default()).await.unwrap().name, codec.name());
        }
    }
}

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
