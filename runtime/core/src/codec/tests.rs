use super::*;

#[derive(Clone, PartialEq, prost::Message, Serialize, Deserialize)]
#[serde(default)]
struct Nested {
    #[prost(message, optional, boxed, tag = "1")]
    inner: Option<Box<Self>>,
    #[prost(bytes = "vec", tag = "2")]
    data: Vec<u8>,
}

fn nested(depth: usize) -> Nested {
    (0..depth)
        .fold(Nested::default(), |inner, _| Nested { inner: Some(Box::new(inner)), ..Nested::default() })
}

#[test]
fn both_codecs_refuse_what_nests_too_deep() {
    for codec in [Codec::Protobuf, Codec::MessagePack] {
        let mut buffer = BytesMut::new();
        codec.encode(&nested(50), &mut buffer).unwrap();
        assert_eq!(codec.decode::<Nested>(buffer.split().freeze()).unwrap(), nested(50), "{codec}");
        codec.encode(&nested(200), &mut buffer).unwrap();
        assert!(codec.decode::<Nested>(buffer.freeze()).is_err(), "{codec}");
    }
}

#[test]
fn bytes_that_follow_a_message_are_an_error() {
    let mut buffer = BytesMut::new();
    Codec::MessagePack.encode(&nested(1), &mut buffer).unwrap();
    buffer.put_u8(0xc0);
    assert!(Codec::MessagePack.decode::<Nested>(buffer.freeze()).is_err());
}

#[test]
fn bytes_travel_as_bin_in_message_pack() {
    let message = Nested { data: vec![1, 2, 255], ..Nested::default() };
    let mut buffer = BytesMut::new();
    Codec::MessagePack.encode(&message, &mut buffer).unwrap();
    assert!(buffer.windows(5).any(|window| window == [0xc4, 3, 1, 2, 255]), "{buffer:?}");
    assert_eq!(Codec::MessagePack.decode::<Nested>(buffer.freeze()).unwrap(), message);
}

/// Bytes in every place that they can be in, and nothing that says so.
#[derive(Clone, PartialEq, prost::Message, Serialize, Deserialize)]
struct Loose {
    #[prost(bytes = "vec", tag = "1")]
    data: Vec<u8>,
    #[prost(bytes = "vec", repeated, tag = "2")]
    all: Vec<Vec<u8>>,
    #[prost(btree_map = "string, bytes", tag = "3")]
    named: std::collections::BTreeMap<String, Vec<u8>>,
    #[prost(bytes = "vec", optional, tag = "4")]
    maybe: Option<Vec<u8>>,
    #[prost(string, repeated, tag = "5")]
    words: Vec<String>,
    #[prost(message, repeated, tag = "6")]
    parts: Vec<Self>,
    #[prost(oneof = "OneOf", tags = "7, 8, 9")]
    one: Option<OneOf>,
    #[prost(bytes = "bytes", tag = "10")]
    declared: Bytes,
    #[prost(enumeration = "Kind", tag = "11")]
    kind: i32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, prost::Enumeration)]
#[repr(i32)]
enum Kind {
    None = 0,
    Some = 1,
}

#[derive(Clone, PartialEq, prost::Oneof, Serialize, Deserialize)]
enum OneOf {
    #[prost(string, tag = "7")]
    Text(String),
    #[prost(bytes = "vec", tag = "8")]
    Raw(Vec<u8>),
    #[prost(message, tag = "9")]
    Inner(Inner),
}

#[derive(Clone, PartialEq, prost::Message, Serialize, Deserialize)]
struct Inner {
    #[prost(bytes = "vec", tag = "1")]
    data: Vec<u8>,
    #[prost(uint32, repeated, tag = "2")]
    numbers: Vec<u32>,
}

/// The same message, as one who says what bytes are has it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
struct Strict {
    data: Bytes,
    all: Vec<Bytes>,
    named: std::collections::BTreeMap<String, Bytes>,
    maybe: Option<Bytes>,
    words: Vec<String>,
    parts: Vec<Self>,
    one: Option<StrictOneOf>,
    declared: Bytes,
    kind: i32,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
enum StrictOneOf {
    Text(String),
    Raw(Bytes),
    Inner(StrictInner),
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct StrictInner {
    data: Bytes,
    numbers: Vec<u32>,
}

fn packed<M: Message>(message: &M) -> Bytes {
    let mut buffer = BytesMut::from(&b"before"[..]);
    Codec::MessagePack.encode(message, &mut buffer).unwrap();
    buffer.split_off(6).freeze()
}

/// Each with bytes that are some and that are none.
fn loose() -> Vec<(Loose, Strict)> {
    let mut all = Vec::new();
    for data in [vec![], vec![7, 255]] {
        let bytes = Bytes::from(data.clone());
        let (text, inner) = (String::new(), Inner { data: data.clone(), numbers: vec![] });
        let strict_inner = StrictInner { data: bytes.clone(), numbers: vec![] };
        let ones = [
            (OneOf::Text(text.clone()), StrictOneOf::Text(text)),
            (OneOf::Raw(data.clone()), StrictOneOf::Raw(bytes.clone())),
            (OneOf::Inner(inner), StrictOneOf::Inner(strict_inner)),
        ];
        for (one, strict) in ones {
            let leaf = Loose {
                data: data.clone(),
                all: vec![data.clone(), vec![]],
                named: [("a".to_owned(), data.clone())].into(),
                maybe: Some(data.clone()),
                one: Some(one),
                ..Loose::default()
            };
            let strict = Strict {
                data: bytes.clone(),
                all: vec![bytes.clone(), Bytes::new()],
                named: [("a".to_owned(), bytes.clone())].into(),
                maybe: Some(bytes.clone()),
                one: Some(strict),
                ..Strict::default()
            };
            all.push((
                Loose { parts: vec![leaf.clone(), Loose::default()], ..leaf },
                Strict { parts: vec![strict.clone(), Strict::default()], ..strict },
            ));
        }
    }
    all.push((Loose::default(), Strict::default()));
    all
}

#[test]
fn bytes_are_bin_whatever_their_type_and_lists_are_arrays() {
    for (loose, strict) in loose() {
        let expected = rmp_serde::to_vec_named(&strict).unwrap();
        assert_eq!(packed(&loose), expected, "{loose:?}");
    }
}

#[test]
fn bytes_are_read_as_bin_and_as_an_array() {
    let array =
        rmp_serde::to_vec_named(&std::collections::BTreeMap::from([("data", vec![1_u16, 200])])).unwrap();
    assert_eq!(Codec::MessagePack.decode::<Loose>(array.clone().into()).unwrap().data, [1, 200]);
    assert_eq!(rmp_serde::from_slice::<Strict>(&array).unwrap().data, &[1, 200][..]);
    for (loose, strict) in loose() {
        let bytes = rmp_serde::to_vec_named(&strict).unwrap();
        assert_eq!(Codec::MessagePack.decode::<Loose>(bytes.into()).unwrap(), loose);
    }
}

/// What an older peer knows of `Loose`, and of what is in it.
#[derive(Serialize)]
struct Older {
    maybe: Option<u8>,
    parts: Vec<OlderPart>,
    one: Option<OlderOneOf>,
    unknown: &'static str,
}

#[derive(Serialize)]
struct OlderPart {
    words: [&'static str; 1],
}

#[derive(Serialize)]
enum OlderOneOf {
    Inner(std::collections::BTreeMap<u8, u8>),
}

#[test]
fn fields_that_a_peer_does_not_know_have_protobufs_defaults() {
    let older = Older {
        maybe: None,
        parts: vec![OlderPart { words: ["a"] }, OlderPart { words: ["b"] }],
        one: Some(OlderOneOf::Inner([].into())),
        unknown: "to be skipped",
    };
    let part = |word: &str| Loose { words: vec![word.to_owned()], ..Loose::default() };
    let expected = Loose {
        parts: vec![part("a"), part("b")],
        one: Some(OneOf::Inner(Inner::default())),
        ..Loose::default()
    };
    let bytes = rmp_serde::to_vec_named(&older).unwrap();
    assert_eq!(Codec::MessagePack.decode::<Loose>(bytes.into()).unwrap(), expected);
    assert_eq!(Codec::MessagePack.decode::<Loose>(vec![0x80].into()).unwrap(), Loose::default());
}

/// A struct some of whose fields say what they are where they are not there, and of which one has an old name.
#[derive(Clone, PartialEq, prost::Message, Serialize, Deserialize)]
struct Particular {
    #[prost(string, tag = "1")]
    #[serde(alias = "title")]
    name: String,
    #[prost(uint32, tag = "2")]
    #[serde(default = "seven")]
    count: u32,
    #[prost(bool, tag = "3")]
    old: bool,
}

fn seven() -> u32 {
    7
}

#[test]
fn what_a_type_says_of_its_fields_stands() {
    let of = |bytes: Vec<u8>| Codec::MessagePack.decode::<Particular>(bytes.into()).unwrap();
    let titled = rmp_serde::to_vec_named(&std::collections::BTreeMap::from([("title", "x")])).unwrap();
    assert_eq!(of(titled), Particular { name: "x".to_owned(), count: 7, old: false });
    assert_eq!(of(vec![0x80]), Particular { count: 7, ..Particular::default() });
}

#[test]
fn what_is_wrong_in_another_way_stays_wrong() {
    for wrong in [
        rmp_serde::to_vec_named(&std::collections::BTreeMap::from([("data", "text")])).unwrap(),
        vec![0x81, 0xa4, b'd', b'a', b't', b'a'],
        vec![0x80, 0xc0],
        vec![0xdf, 0xff, 0xff, 0xff, 0xff],
        [&[0x81, 0xa5][..], b"parts", &[0x91].repeat(300)].concat(),
    ] {
        assert!(Codec::MessagePack.decode::<Loose>(wrong.clone().into()).is_err(), "{wrong:?}");
    }
}
