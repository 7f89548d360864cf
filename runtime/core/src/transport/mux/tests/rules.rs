//! Peers that break rules.

use bytes::BytesMut;
use proptest::prelude::*;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::{
    super::{Mux, MuxCode, MuxConfig, MuxError, frame::Frame, preface::Settings},
    peers::{by_hand, preface, within},
};
use crate::{Status, transport::framed::Connection};

/// How many streams the peers of these tests may open.
const STREAMS: u32 = 4;

fn small() -> MuxConfig {
    MuxConfig {
        max_concurrent_streams: STREAMS,
        stream_window: 16 << 10,
        connection_window: 32 << 10,
        ..MuxConfig::default()
    }
}

/// Frames of this many bytes in all, on one stream.
fn flood(stream: u8, mut bytes: usize) -> Vec<u8> {
    let mut frames = Vec::new();
    while bytes > 0 {
        let length = bytes.min(8 << 10);
        frames.extend([0x01, stream, 0x80, 0, (length >> 8) as u8, length as u8]);
        frames.resize(frames.len() + length, 0);
        bytes -= length;
    }
    frames
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_breaks_a_rule_is_told_which_and_the_connection_is_over() {
    use MuxCode::{FlowControl, Protocol};

    let two_streams = [flood(1, 16 << 10), flood(3, 16 << 10), flood(5, 1)].concat();
    let cases: [(&str, Vec<u8>, MuxCode); 20] = [
        ("an unknown type", vec![0x1f, 0, 0], Protocol),
        ("type zero", vec![0x00, 0, 0], Protocol),
        ("a frame that is too large", vec![0x01, 1, 0x80, 0, 0x40, 0x01], Protocol),
        ("a skippable frame that is too large", vec![0x9f, 1, 0x80, 0, 0x40, 0x01], Protocol),
        ("a frame of the largest length", vec![0x01, 1, 0xff, 255, 255, 255, 255, 255, 255, 255], Protocol),
        ("bytes on stream 0", vec![0x01, 0, 1, b'x'], Protocol),
        ("a ping of a stream", vec![0x06, 1, 8, 0, 0, 0, 0, 0, 0, 0, 0], Protocol),
        ("a ping of seven bytes", vec![0x06, 0, 7, 0, 0, 0, 0, 0, 0, 0], Protocol),
        ("a close without a code", vec![0x08, 0, 0], Protocol),
        ("a reset without a code", vec![0x01, 1, 0, 0x03, 1, 0], Protocol),
        ("a code and more", vec![0x01, 1, 0, 0x04, 1, 2, 1, 1], Protocol),
        ("a reset of a stream that was never opened", vec![0x03, 1, 1, 1], Protocol),
        ("a stop of a stream that was never opened", vec![0x04, 1, 1, 1], Protocol),
        ("credit for a stream that was never opened", vec![0x05, 1, 1, 1], Protocol),
        ("bytes on a stream of ours that was never opened", vec![0x01, 2, 0], Protocol),
        ("bytes behind an end", vec![0x02, 1, 0, 0x01, 1, 1, b'x'], Protocol),
        ("bytes behind a reset", vec![0x01, 1, 0, 0x03, 1, 1, 1, 0x01, 1, 0], Protocol),
        ("more than the stream's window", flood(1, (16 << 10) + 1), FlowControl),
        ("more than the connection's window", two_streams, FlowControl),
        ("credit beyond counting", vec![0x05, 0, 8, 0xff, 255, 255, 255, 255, 255, 255, 255], FlowControl),
    ];
    for (what, bytes, code) in cases {
        let (server, mut hand) = by_hand(small());
        hand.say(&bytes).await;
        let MuxError::Violation(violation) = within(server.closed()).await else {
            panic!("{what}: {:?}", server.close_reason());
        };
        assert_eq!(violation.code, code, "{what}: {violation}");
        let told = hand.hear().await;
        let reason = violation.to_string();
        assert_eq!(told, Some(Frame::Close { code: code as u64, reason }), "{what}");
        assert_eq!(hand.hear().await, None, "{what}");
        assert!(within(server.accept()).await.is_err(), "{what}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_odd_but_allowed_is_taken() {
    let (server, mut hand) = by_hand(small());
    let odd: [&[u8]; 9] = [
        // Frames that are not known and may be skipped, of no stream and of one that is not open.
        &[0x9f, 0, 2, 1, 2],
        &[0xff, 9, 0],
        // A pong that nobody asked for, and credit of nothing.
        &[0x07, 0, 8, 1, 2, 3, 4, 5, 6, 7, 8],
        &[0x05, 0, 1, 0],
        // A stream that leaves ids out, is given up at once, and more that comes for it.
        &[0x01, 41, 0],
        &[0x03, 41, 1, 0x3f],
        &[0x03, 41, 1, 1],
        &[0x04, 41, 1, 1],
        // Numbers in longer forms than they need.
        &[0x02, 0x80, 0, 0, 43, 0x40, 1, b'x'],
    ];
    for bytes in odd {
        hand.say(bytes).await;
    }
    let _given_up = within(server.accept()).await.unwrap();
    let (_send, mut recv) = within(server.accept()).await.unwrap();
    assert_eq!(super::peers::read_all(&mut recv).await.unwrap(), b"x");
    assert!(server.close_reason().is_none());
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_opens_without_end_and_reads_nothing_is_given_up() {
    let (server, hand) = by_hand(small());
    let (mut reader, mut writer) = tokio::io::split(hand.io);
    let opening = tokio::spawn(async move {
        // Far more than the pipe, a write and the queue of refusals hold.
        for id in (1..100_000u32).step_by(2) {
            let mut frame = BytesMut::from(&[0x01, 0x80, 0, 0, 0, 0][..]);
            frame[1..5].copy_from_slice(&(id | 0x8000_0000).to_be_bytes());
            if writer.write_all(&frame).await.is_err() {
                return;
            }
        }
    });
    let MuxError::Violation(violation) = within(server.closed()).await else {
        panic!("{:?}", server.close_reason());
    };
    assert_eq!(violation.code, MuxCode::Flood);
    within(opening).await.unwrap();
    let mut rest = Vec::new();
    // The other end has hung up, whatever it could still write.
    let _ = within(reader.read_to_end(&mut rest)).await;
}

#[tokio::test(start_paused = true)]
async fn pings_that_nobody_reads_the_answers_of_hold_up_no_call() {
    let (server, mut hand) = by_hand(small());
    let mut ping = [0x06, 0, 8, 0, 0, 0, 0, 0, 0, 0, 0];
    for number in 0..50_000u32 {
        ping[7..].copy_from_slice(&number.to_be_bytes());
        hand.say(ping).await;
    }
    hand.say([0x02, 1, 1, b'x']).await;
    within(server.accept()).await.unwrap();
    assert!(server.close_reason().is_none());
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_is_something_else_is_named_for_what_it_is() {
    type IsRight = fn(&MuxError) -> bool;
    let version_two = [b"polymux\x02".as_slice(), &[0; 12]].concat();
    let narrow = preface(Settings { stream_window: 1000, connection_window: 1 << 20, max_streams: 1 });
    let cases: [(&str, &[u8], IsRight, &str); 5] = [
        (
            "an HTTP server",
            b"HTTP/1.1 400 Bad Request\r\n\r\n",
            |error| matches!(error, MuxError::NotMux(_)),
            "the peer does not speak polywire's multiplexer: it began with the bytes [48, 54, ",
        ),
        (
            "something that says little",
            b"pol\n",
            |error| matches!(error, MuxError::NotMux(_)),
            "the peer does not speak polywire's multiplexer: it began with the bytes [70, 6f, 6c, 0a]",
        ),
        (
            "another version",
            &version_two,
            |error| matches!(error, MuxError::Version(2)),
            "the peer speaks version 2 of polywire's multiplexer, this side speaks version 1",
        ),
        (
            "a window that no frame fits",
            &narrow,
            |error| matches!(error, MuxError::Violation(_)),
            "the peer broke a rule of the multiplexer: its windows are smaller than a frame of 16,384 bytes",
        ),
        (
            "nothing",
            b"",
            |error| matches!(error, MuxError::HandshakeTimeout(_)),
            "the peer did not greet within 10s",
        ),
    ];
    for (what, bytes, is_right, message) in cases {
        let (near, mut far) = tokio::io::duplex(1024);
        far.write_all(bytes).await.unwrap();
        let error = within(Mux::client(near, MuxConfig::default())).await.unwrap_err();
        assert!(is_right(&error), "{what}: {error:?}");
        assert!(error.to_string().starts_with(message), "{what}: {error}");
        assert!(!what.contains("else") || Status::from(error).is_not_processed());
    }
}

#[tokio::test(start_paused = true)]
async fn a_pipe_of_one_byte_is_wide_enough_to_greet() {
    let (near, far) = tokio::io::duplex(1);
    let (client, server) =
        tokio::join!(Mux::client(near, MuxConfig::default()), Mux::server(far, MuxConfig::default()));
    let (client, server) = (client.unwrap(), server.unwrap());
    let _stream = client.open(bytes::Bytes::from_static(b"hello"), true).await.unwrap();
    let (_send, mut recv) = within(server.accept()).await.unwrap();
    assert_eq!(super::peers::read_all(&mut recv).await.unwrap(), b"hello");
}

/// What the state holds for a peer is within what it was granted.
fn is_bounded(server: &super::super::MuxConnection) -> bool {
    server.shared().with(|state| {
        let window = u64::from(state.ours.connection_window);
        state.streams.len() <= STREAMS as usize
            && state.arrived.len() <= STREAMS as usize
            && state.refused.len() <= 1024
            && state.allowance <= window
            && state.consumed <= window
    })
}

/// What comes of a peer that says this, tears it so, and hangs up.
fn survives(bytes: &[u8], tear: usize) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    runtime.unwrap().block_on(async {
        let (server, mut hand) = by_hand(small());
        for chunk in bytes.chunks(tear) {
            if hand.io.write_all(chunk).await.is_err() {
                break;
            }
            assert!(is_bounded(&server));
        }
        drop(hand);
        within(server.closed()).await;
        assert!(is_bounded(&server));
    });
}

/// A frame whose header makes sense, and whose payload may.
fn frame() -> impl Strategy<Value = Vec<u8>> {
    let payload = proptest::collection::vec(any::<u8>(), 0..12);
    (0..10u8, 0..8u8, payload).prop_map(|(kind, stream, payload)| {
        [&[kind, stream, payload.len() as u8], payload.as_slice()].concat()
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn whatever_a_peer_says_this_side_survives(
        bytes in proptest::collection::vec(any::<u8>(), 0..400),
        tear in 1..40usize,
    ) {
        survives(&bytes, tear);
    }

    #[test]
    fn whatever_frames_a_peer_sends_this_side_survives(
        frames in proptest::collection::vec(frame(), 0..60),
        tear in 1..40usize,
    ) {
        survives(&frames.concat(), tear);
    }
}
