//! What `proto/MUX.md` says of bytes and numbers, held against the code.

use std::collections::BTreeMap;

use bytes::{Bytes, BytesMut};

use super::super::{
    MuxCode, MuxConfig, batch::Batch, error::Violation, frame, frame::Frame, preface::Settings,
};
use crate::wire::{ConnectionCode, StreamCode};

const PAGE: &str = include_str!("../../../../../../proto/MUX.md");

/// The blocks of the page that are marked `hex`, by their names.
fn examples() -> BTreeMap<&'static str, Vec<u8>> {
    let blocks = PAGE.split("```hex ").skip(1).map(|block| {
        let (name, rest) = block.split_once('\n').unwrap();
        let (lines, _) = rest.split_once("```").unwrap();
        let digits = lines.lines().flat_map(|line| line.split(';').next().unwrap_or("").split_whitespace());
        (name, digits.map(|byte| u8::from_str_radix(byte, 16).unwrap()).collect())
    });
    let examples: BTreeMap<_, _> = blocks.collect();
    assert_eq!(examples.len(), PAGE.matches("```hex").count(), "each example has a name of its own");
    examples
}

const SEVEN: [u8; 8] = [0, 0, 0, 0, 0, 0, 0, 7];

fn data(stream: u64, payload: &[u8], fin: bool) -> Frame {
    Frame::Data { stream, payload: BytesMut::from(payload), fin }
}

/// What the page says that the examples mean.
fn meanings() -> BTreeMap<&'static str, Vec<Frame>> {
    let given_up = |stream, code| vec![Frame::Stop { stream, code }, Frame::Reset { stream, code }];
    let bye = Frame::Close { code: ConnectionCode::ShutDown.number().into(), reason: "bye".into() };
    BTreeMap::from([
        ("question", vec![data(1, b"hello", true)]),
        ("data", vec![data(66, b"hi", false)]),
        ("giving-up", given_up(3, StreamCode::Cancelled)),
        ("refusal", given_up(5, StreamCode::Refused)),
        (
            "credit",
            vec![
                Frame::Window { stream: 1, credit: 131_072 },
                Frame::Window { stream: 0, credit: 8_388_608 },
            ],
        ),
        ("ping", vec![Frame::Ping(SEVEN), Frame::Pong(SEVEN)]),
        ("close", vec![bye]),
        ("foreign", vec![Frame::Skipped, data(1, b"hi", false)]),
    ])
}

/// The bytes that our own side writes.
fn write(frames: &[Frame]) -> Vec<u8> {
    let mut buffer = BytesMut::new();
    for frame in frames {
        match frame {
            Frame::Data { stream, payload, fin } => {
                frame::put_data(&mut buffer, *stream, *fin, payload.len());
                buffer.extend_from_slice(payload);
            }
            Frame::Reset { stream, code } => frame::put_reset(&mut buffer, *stream, *code),
            Frame::Stop { stream, code } => frame::put_stop(&mut buffer, *stream, *code),
            Frame::Window { stream, credit } => frame::put_window(&mut buffer, *stream, *credit),
            Frame::Ping(payload) => frame::put_ping(&mut buffer, *payload),
            Frame::Pong(payload) => frame::put_pong(&mut buffer, *payload),
            Frame::Close { code, reason } => frame::put_close(&mut buffer, *code, reason),
            Frame::Skipped => panic!("we write none of these"),
        }
    }
    buffer.to_vec()
}

fn read(bytes: &[u8]) -> Result<Vec<Frame>, Violation> {
    let mut buffer = BytesMut::from(bytes);
    let frames = std::iter::from_fn(|| Frame::take(&mut buffer).transpose()).collect();
    assert!(buffer.is_empty(), "the example is torn");
    frames
}

#[test]
fn every_example_means_what_the_page_says() {
    let mut examples = examples();
    let preface = examples.remove("preface").unwrap();
    let ours = MuxConfig::default().settings();
    assert_eq!(Settings::parse(&preface.try_into().unwrap()).unwrap(), ours);
    let meanings = meanings();
    assert!(examples.keys().eq(meanings.keys()), "the page has these examples: {:?}", examples.keys());
    for (name, bytes) in examples {
        assert_eq!(read(&bytes).as_ref(), Ok(&meanings[name]), "{name}");
    }
}

#[test]
fn what_we_write_is_in_the_page_byte_for_byte() {
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x} ")).collect::<String>();
    let examples = examples();
    assert_eq!(hex(&MuxConfig::default().settings().encode()), hex(&examples["preface"]));
    for (name, frames) in meanings().into_iter().filter(|(name, _)| *name != "foreign") {
        assert_eq!(hex(&write(&frames)), hex(&examples[name]), "{name}");
    }
}

#[test]
fn an_example_torn_anywhere_is_not_read_before_it_is_whole() {
    let question = &examples()["question"];
    for length in 0..question.len() {
        let mut buffer = BytesMut::from(&question[..length]);
        assert_eq!(Frame::take(&mut buffer), Ok(None), "{length} bytes");
        assert_eq!(buffer.len(), length, "what is not whole stays");
    }
}

/// The rows of the first table behind this text: their cells, without backquotes.
fn table(behind: &str) -> Vec<Vec<String>> {
    let (_, rest) = PAGE.split_once(behind).unwrap_or_else(|| panic!("the page says {behind:?}"));
    let rows =
        rest.lines().skip_while(|line| !line.starts_with('|')).take_while(|line| line.starts_with('|'));
    let cells =
        |row: &str| row.trim_matches('|').split('|').map(|cell| cell.trim().replace('`', "")).collect();
    rows.skip(2).map(cells).collect()
}

#[test]
fn the_codes_are_those_of_the_page() {
    let rows = table("## 6. Closing");
    assert_eq!(rows.len(), 4);
    for row in rows {
        let number = u64::from_str_radix(row[0].trim_start_matches("0x"), 16).unwrap();
        let code = MuxCode::from_number(number).unwrap();
        let name = format!("{code:?}").to_uppercase();
        assert_eq!((code as u64, name), (number, row[1].replace('_', "")));
    }
    assert_eq!(MuxCode::from_number(0xff), None);
    assert_eq!(MuxCode::from_number(0x104), Some(MuxCode::Protocol));
}

#[test]
fn the_limits_are_those_of_the_page() {
    let rows = table("## 7. Limits");
    let default = |limit: &str| {
        let row = rows.iter().find(|row| row[0].starts_with(limit)).unwrap();
        row[1].split(' ').next().unwrap().replace(',', "").parse::<u64>().unwrap()
    };
    let config = MuxConfig::default();
    assert_eq!(default("the payload"), frame::MAX_PAYLOAD as u64);
    assert_eq!(default("bytes of one"), u64::from(config.stream_window));
    assert_eq!(default("bytes of all"), u64::from(config.connection_window));
    assert_eq!(default("streams of the peer"), u64::from(config.max_concurrent_streams));
    assert_eq!(default("silence"), config.idle_timeout.as_secs());
    assert_eq!(default("the preface"), config.handshake_timeout.as_secs());
}

#[test]
fn a_batch_is_the_same_bytes_whether_or_not_its_writer_gathers() {
    use bytes::Buf;

    let large: Bytes = (0..5000u32).map(|n| n as u8).collect();
    let [gathered, copied] = [true, false].map(|gathers| {
        let mut batch = Batch::new(gathers);
        for chunk in [large.slice(..3), large.clone(), large.slice(..7), large.slice(3..)] {
            batch.put(|buffer| frame::put_data(buffer, 1, false, chunk.len()));
            batch.put_chunk(chunk);
        }
        batch.seal();
        let mut bytes = Vec::new();
        while batch.has_remaining() {
            // Torn as a writer may tear it.
            let some = batch.remaining().min(1000);
            bytes.extend_from_slice(&batch.copy_to_bytes(some));
        }
        bytes
    });
    assert_eq!(gathered, copied);
    assert!(read(&gathered).unwrap().len() == 4);
}
