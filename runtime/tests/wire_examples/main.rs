//! What `proto/WIRE.md` says of bytes and numbers, held against the code.

#![allow(clippy::unwrap_used, reason = "all of this is tests")]

mod messages;
mod tables;

use std::{collections::BTreeMap, time::Duration};

use bytes::{Bytes, BytesMut};
use polywire::{
    Code, Codec, Compression, CompressionSet, Message, Metadata,
    wire::{
        CALL, Frame, FrameKind, FrameReader, RequestCompression, RequestHead, ResponseHead, Tail, WireError,
        parse_end, put_compressible_message, put_end, put_request_head, put_response_head, put_tail,
    },
};

use self::messages::{GetRequest, Item, encoded, named, nut, request, search};

const PAGE: &str = include_str!("../../../proto/WIRE.md");

fn metadata(entries: &[(&str, &str)]) -> Metadata {
    let mut metadata = Metadata::new();
    entries.iter().for_each(|(key, value)| metadata.append(key, *value).unwrap());
    metadata
}

/// One direction of a call, as values.
#[derive(Debug, PartialEq)]
enum Said {
    Asked { head: RequestHead, messages: Vec<Bytes> },
    Answered { head: Option<ResponseHead>, messages: Vec<Bytes>, tail: Tail },
}

fn head(method: &str, codec: Codec, unary: bool) -> RequestHead {
    let path = Bytes::from(format!("/demo.v1.Demo/{method}"));
    let compression = RequestCompression::default();
    RequestHead { path, codec, unary, timeout: None, compression, metadata: Metadata::new() }
}

fn asked<M: Message + PartialEq>(head: RequestHead, messages: &[M]) -> Said {
    Said::Asked { messages: encoded(head.codec, messages), head }
}

fn answered<M: Message + PartialEq>(
    head: Option<Metadata>,
    codec: Codec,
    messages: &[M],
    tail: Tail,
) -> Said {
    let head = head.map(|metadata| ResponseHead { compression: None, metadata });
    Said::Answered { head, messages: encoded(codec, messages), tail }
}

fn failed(code: Code, message: &str) -> Tail {
    Tail { code: code.number(), message: message.into(), ..Tail::default() }
}

/// The bytes that our own side writes.
fn write(said: &Said) -> BytesMut {
    let mut buffer = BytesMut::new();
    match said {
        Said::Asked {
            head: RequestHead { path, codec, unary, timeout, compression, metadata },
            messages,
        } => {
            let path = str::from_utf8(path).unwrap();
            put_request_head(&mut buffer, path, *codec, *unary, *timeout, *compression, metadata);
            put_messages(&mut buffer, compression.requests, messages);
            put_end(&mut buffer);
        }
        Said::Answered { head, messages, tail } => {
            if let Some(head) = head {
                put_response_head(&mut buffer, head.compression, &head.metadata);
            }
            put_messages(&mut buffer, head.as_ref().and_then(|head| head.compression), messages);
            put_tail(&mut buffer, tail.clone().into_outcome().as_ref(), 1000);
        }
    }
    buffer
}

fn put_messages(buffer: &mut BytesMut, compression: Option<Compression>, messages: &[Bytes]) {
    for message in messages {
        let append = |buffer: &mut BytesMut| {
            buffer.extend_from_slice(message);
            Ok(())
        };
        put_compressible_message(buffer, 1000, compression, append).unwrap();
    }
}

/// What a responder reads.
fn read_question(bytes: &[u8]) -> Result<Said, WireError> {
    let mut reader = FrameReader::new(1000, 1000);
    reader.push(Bytes::copy_from_slice(bytes));
    assert_eq!(reader.take_kind(), Some(CALL));
    let Payloads { heads, messages, ends } = payloads(reader)?;
    assert_eq!(heads.len(), 1);
    parse_end(ends[0].clone())?;
    Ok(Said::Asked { head: RequestHead::parse(heads[0].clone())?, messages })
}

/// What a caller reads.
fn read_answer(bytes: &[u8]) -> Result<Said, WireError> {
    let mut reader = FrameReader::new(1000, 1000);
    reader.push(Bytes::copy_from_slice(bytes));
    let Payloads { heads, messages, ends } = payloads(reader)?;
    let head = heads.into_iter().next().map(ResponseHead::parse).transpose()?;
    Ok(Said::Answered { head, messages, tail: Tail::parse(ends[0].clone())? })
}

/// The payloads of a direction's frames, by their kinds.
#[derive(Default)]
struct Payloads {
    heads: Vec<Bytes>,
    messages: Vec<Bytes>,
    ends: Vec<Bytes>,
}

fn payloads(mut reader: FrameReader) -> Result<Payloads, WireError> {
    let mut payloads = Payloads::default();
    while let Some(Frame { kind, payload }) = reader.next_frame()? {
        match kind {
            FrameKind::Head => payloads.heads.push(payload),
            FrameKind::Message => payloads.messages.push(payload),
            FrameKind::Compressed => payloads.messages.push(gunzip(&payload)),
            FrameKind::End => payloads.ends.push(payload),
        }
    }
    assert!(!reader.is_amid_frame(), "the example is torn");
    assert_eq!(payloads.ends.len(), 1);
    Ok(payloads)
}

/// What was compressed, by the library alone.
fn gunzip(data: &[u8]) -> Bytes {
    #[cfg(feature = "gzip")]
    {
        let mut message = Vec::new();
        std::io::Read::read_to_end(&mut flate2::read::GzDecoder::new(data), &mut message).unwrap();
        message.into()
    }
    #[cfg(not(feature = "gzip"))]
    panic!("this build does not know what {} bytes are compressed with", data.len())
}

/// The blocks of the page that are marked `hex`, by their names.
fn examples() -> BTreeMap<&'static str, Vec<u8>> {
    let blocks = PAGE.split("```hex ").skip(1).map(|block| {
        let (name, rest) = block.split_once('\n').unwrap();
        let (lines, _) = rest.split_once("```").unwrap();
        let digits = lines.lines().flat_map(|line| line.split(';').next().unwrap_or("").split_whitespace());
        (name, digits.map(|byte| u8::from_str_radix(byte, 16).unwrap()).collect())
    });
    let mut examples: BTreeMap<_, _> = blocks.collect();
    assert_eq!(examples.len(), PAGE.matches("```hex").count(), "each example has a name of its own");
    if !cfg!(feature = "gzip") {
        examples.retain(|name, _| !name.starts_with("compressed-"));
    }
    examples
}

/// What the page says that the examples mean.
fn meanings() -> BTreeMap<&'static str, Said> {
    use Codec::{MessagePack, Protobuf};

    let get = |codec| asked(head("Get", codec, true), &[request()]);
    let answer = |codec| answered(None, codec, &[nut()], Tail::default());
    let mut heavy = head("Get", Protobuf, true);
    heavy.timeout = Some(Duration::from_millis(250));
    heavy.metadata = metadata(&[("tenant", "blue")]);
    heavy.metadata.append_bin("trace-bin", &[0xff, 0][..]).unwrap();
    let served_by = Some(metadata(&[("served-by", "a")]));
    let cost = Tail { metadata: metadata(&[("cost", "7")]), ..Tail::default() };
    let failure = Tail {
        details: Bytes::from_static(&[0x08, 0x05]),
        metadata: metadata(&[("retry", "no")]),
        ..failed(Code::NotFound, "no such item")
    };
    let items = [nut(), named("bolt")];
    let disk = failed(Code::DataLoss, "disk failed");
    let imported = [named("nut"), named("bolt")];
    let mut meanings = BTreeMap::from([
        ("unary-request-protobuf", get(Protobuf)),
        ("unary-answer-protobuf", answer(Protobuf)),
        ("unary-request-msgpack", get(MessagePack)),
        ("unary-answer-msgpack", answer(MessagePack)),
        ("unary-answer-msgpack-shapes", answered(None, MessagePack, &[search()], Tail::default())),
        ("request-with-metadata-and-timeout", asked(heavy, &[request()])),
        ("answer-with-metadata", answered(served_by, Protobuf, &[nut()], cost)),
        ("failure", answered::<Item>(None, Protobuf, &[], failure)),
        ("server-stream-request", asked(head("List", MessagePack, false), &[request()])),
        ("server-stream-answer", answered(Some(Metadata::new()), MessagePack, &items, disk)),
        ("client-stream-request", asked(head("Import", Protobuf, false), &imported)),
        ("skipped-field-and-frame", get(Protobuf)),
        ("other-length-forms", get(Protobuf)),
    ]);
    if cfg!(feature = "gzip") {
        meanings.extend(compressed());
    }
    meanings
}

/// The examples that are compressed.
fn compressed() -> [(&'static str, Said); 2] {
    let name = "nut".repeat(40);
    let gzip = Some(Compression::Gzip);
    let mut head = head("Get", Codec::Protobuf, true);
    head.compression = RequestCompression {
        requests: gzip,
        answers: CompressionSet::none().with(Compression::Gzip).with(Compression::Zstd),
    };
    let answer = Said::Answered {
        head: Some(ResponseHead { compression: gzip, metadata: Metadata::new() }),
        messages: encoded(Codec::Protobuf, &[named(&name)]),
        tail: Tail::default(),
    };
    [("compressed-request", asked(head, &[GetRequest { name }])), ("compressed-answer", answer)]
}

/// Examples of what our own side never writes.
const FOREIGN: [&str; 2] = ["skipped-field-and-frame", "other-length-forms"];

/// The example that is an error.
const ERROR: (&str, WireError) = ("frame-that-must-be-understood", WireError::UnknownFrame(0x1f));

#[test]
fn every_example_means_what_the_page_says() {
    let mut examples = examples();
    let (name, error) = ERROR;
    assert_eq!(read_question(&examples.remove(name).unwrap()), Err(error), "{name}");
    let meanings = meanings();
    assert!(examples.keys().eq(meanings.keys()), "the page has these examples: {:?}", examples.keys());
    for (name, bytes) in examples {
        let read = match meanings[name] {
            Said::Asked { .. } => read_question(&bytes),
            Said::Answered { .. } => read_answer(&bytes),
        };
        assert_eq!(read.as_ref(), Ok(&meanings[name]), "{name}");
    }
}

#[test]
fn what_we_write_is_in_the_page_byte_for_byte() {
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x} ")).collect::<String>();
    let examples = examples();
    for (name, said) in meanings().into_iter().filter(|(name, _)| !FOREIGN.contains(name)) {
        assert_eq!(hex(&write(&said)), hex(&examples[name]), "{name}");
    }
}

/// The examples as tests in other languages read them. `POLYWIRE_UPDATE_DOCS=1` writes the file anew.
#[cfg(feature = "gzip")]
#[test]
fn the_file_of_examples_has_those_of_the_page() {
    let meanings = meanings();
    let entry = |(name, bytes): (&str, Vec<u8>)| {
        // The one without a meaning is a caller's.
        let answered = matches!(meanings.get(name), Some(Said::Answered { .. }));
        let direction = if answered { "responder" } else { "caller" };
        let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        format!("  \"{name}\": {{ \"direction\": \"{direction}\", \"hex\": \"{hex}\" }}")
    };
    let entries: Vec<_> = examples().into_iter().map(entry).collect();
    let wanted = format!("{{\n{}\n}}\n", entries.join(",\n"));
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../proto/wire_examples.json");
    if std::env::var_os("POLYWIRE_UPDATE_DOCS").is_some() {
        std::fs::write(path, &wanted).unwrap();
    }
    let hint = "the page has other examples; POLYWIRE_UPDATE_DOCS=1 writes the file anew";
    assert!(std::fs::read_to_string(path).unwrap_or_default() == wanted, "{hint}");
}

#[test]
fn messages_of_neighbouring_versions_read_alike_in_both_codecs() {
    for codec in [Codec::Protobuf, Codec::MessagePack] {
        let long = encoded(codec, &[Item { colour: 77, ..nut() }]).remove(0);
        assert_eq!(codec.decode::<Item>(long.clone()).unwrap().colour, 77);
        assert_eq!(codec.decode::<GetRequest>(long).unwrap(), request());
        let short = encoded(codec, &[request()]).remove(0);
        assert_eq!(codec.decode::<Item>(short).unwrap(), named("nut"));
    }
}
