use bytes::{BufMut, Bytes, BytesMut};
use proptest::prelude::*;

use super::peers::{Answered, call, connect, connect_raw, context, echo, head, next, note, put, within};
use crate::{
    Code, Limits, Metadata, Service, Status, Streaming,
    transport::framed::{Connection, SendStream},
    wire::{self, put_end, put_response_head, put_tail},
};

/// A call whose head has these fields.
fn with_fields(fields: &[u8]) -> BytesMut {
    let mut bytes = BytesMut::from(&[0x01, 0x01, fields.len() as u8][..]);
    bytes.put_slice(fields);
    put(&mut bytes, "hello");
    put_end(&mut bytes);
    bytes
}

/// A call with these bytes between its message and its end.
fn with_frame(frame: &[u8]) -> BytesMut {
    let mut bytes = head(true, None);
    put(&mut bytes, "hello");
    bytes.put_slice(frame);
    put_end(&mut bytes);
    bytes
}

#[tokio::test(start_paused = true)]
async fn what_is_not_understood_is_refused_in_its_own_call() {
    let cases: [(&str, BytesMut, Code); 17] = [
        ("nothing", BytesMut::new(), Code::Internal),
        ("a kind alone", BytesMut::from(&[0x01][..]), Code::Internal),
        ("an unknown kind", BytesMut::from(&[0x02, 0x00][..]), Code::Unimplemented),
        ("no head", BytesMut::from(&[0x01, 0x03, 0x00][..]), Code::Internal),
        ("no path", with_fields(&[0x02, 1, 0x01]), Code::Internal),
        ("a path that is not UTF-8", with_fields(&[0x01, 2, b'/', 0xff]), Code::Unimplemented),
        ("a field longer than the head", with_fields(&[0x01, 9, b'/']), Code::Internal),
        ("a codec of two bytes", with_fields(&[0x01, 1, b'/', 0x02, 2, 0, 0]), Code::Internal),
        ("an unknown codec", with_fields(&[0x01, 1, b'/', 0x02, 1, 0x7f]), Code::Unimplemented),
        ("an unknown field", with_fields(&[0x01, 1, b'/', 0x1f, 0]), Code::Unimplemented),
        ("an unknown frame", with_frame(&[0x1f, 0]), Code::Unimplemented),
        ("an unknown field of the end", with_end(&[0x03, 2, 0x1f, 0]), Code::Unimplemented),
        ("a second head", with_frame(&[0x01, 3, 0x01, 1, b'/']), Code::Internal),
        ("a reserved metadata key", with_fields(&metadata_field(b"grpc-x", b"1")), Code::Internal),
        ("a metadata value that is not ASCII", with_fields(&metadata_field(b"x", b"\n")), Code::Internal),
        ("two messages on a unary call", with_frame(&[0x02, 1, b'x']), Code::Unimplemented),
        ("no message on a unary call", with_end(&[]), Code::Unimplemented),
    ];
    let peers = connect(echo);
    for (what, bytes, code) in cases {
        let answered = peers.answer_to(bytes).await;
        assert_eq!(answered.code(), code, "{what}");
        assert!(answered.tail.not_processed, "{what}");
        assert_eq!(within(peers.ask("other calls")).await.unwrap(), "other calls", "after {what}");
    }
}

/// A unary call that ends with this frame, and without message where there is none.
fn with_end(end: &[u8]) -> BytesMut {
    let mut bytes = head(true, None);
    if end.is_empty() {
        put_end(&mut bytes);
    } else {
        put(&mut bytes, "hello");
        bytes.put_slice(end);
    }
    bytes
}

fn metadata_field(key: &[u8], value: &[u8]) -> Vec<u8> {
    let mut fields = vec![0x01, 1, b'/', 0x03, (1 + key.len() + value.len()) as u8, key.len() as u8];
    fields.extend_from_slice(key);
    fields.extend_from_slice(value);
    fields
}

#[tokio::test(start_paused = true)]
async fn what_may_be_skipped_is_skipped() {
    let peers = connect(echo);
    for bytes in [
        with_fields(b"\x01\x04/a/b\x9f\x02\x01\x02"),
        with_frame(&[0x9f, 3, 1, 2, 3]),
        with_end(&[0x03, 3, 0x9f, 1, 7]),
    ] {
        let answered = peers.answer_to(bytes).await;
        assert_eq!((answered.code(), &answered.messages[..]), (Code::Ok, &[Bytes::from("hello")][..]));
    }
}

#[tokio::test(start_paused = true)]
async fn requests_that_finish_without_their_end_are_an_error() {
    let peers = connect(async |cx, mut messages| {
        while next(&mut messages).await?.is_some() {}
        echo(cx, Streaming::once(note("the stream ended well"))).await
    });
    for unary in [true, false] {
        let mut bytes = head(unary, None);
        put(&mut bytes, "hello");
        let answered = peers.answer_to(bytes).await;
        assert_eq!((answered.code(), answered.messages.len()), (Code::Internal, 0), "unary: {unary}");
    }
    // Torn amid a frame, it is the same.
    let whole = call("hello");
    for length in 1..whole.len() {
        let answered = peers.answer_to(whole.clone().freeze().slice(..length)).await;
        assert_eq!(answered.code(), Code::Internal, "{length} bytes of {}", whole.len());
    }
    assert_eq!(peers.answer_to(whole).await.code(), Code::Ok);
}

/// What a caller makes of this answer.
async fn caller_of(answer: impl Into<Bytes>) -> Result<String, Status> {
    let (peers, far) = connect_raw(Limits::default());
    let server = async {
        let (mut send, recv) = far.accept().await.unwrap();
        send.write(answer.into()).await.unwrap();
        send.finish();
        recv
    };
    within(async { tokio::join!(peers.ask("hello"), server) }).await.0
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_finishes_without_its_end_is_an_error() {
    let mut whole = BytesMut::new();
    put_response_head(&mut whole, None, &Metadata::new());
    put(&mut whole, "hello");
    put_tail(&mut whole, Ok(&Metadata::new()), 1000);
    for length in 0..whole.len() {
        let status = caller_of(whole.clone().freeze().slice(..length)).await.unwrap_err();
        assert_eq!(status.code(), Code::Internal, "{length} bytes of {}", whole.len());
    }
    assert_eq!(caller_of(whole).await.unwrap(), "hello");
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_is_not_understood_is_an_error() {
    let cases: [(&str, &[u8], Code); 6] = [
        ("an unknown frame", &[0x1f, 0, 0x02, 0, 0x03, 0], Code::Unimplemented),
        ("an unknown field of the end", &[0x02, 0, 0x03, 2, 0x1f, 0], Code::Unimplemented),
        ("a code of two bytes", &[0x02, 0, 0x03, 4, 0x01, 2, 0, 0], Code::Internal),
        ("two messages to a unary call", &[0x02, 0, 0x02, 0, 0x03, 0], Code::Unimplemented),
        ("no message to a unary call", &[0x03, 0], Code::Unimplemented),
        ("a second head", &[0x01, 0, 0x01, 0, 0x02, 0, 0x03, 0], Code::Internal),
    ];
    for (what, answer, code) in cases {
        assert_eq!(caller_of(answer.to_vec()).await.unwrap_err().code(), code, "{what}");
    }
    assert_eq!(caller_of(vec![0x9f, 1, 0, 0x02, 1, b'x', 0x03, 2, 0x9f, 0]).await.unwrap(), "x");
    assert_eq!(caller_of(vec![0x03, 3, 0x01, 1, 0x63]).await.unwrap_err().code(), Code::Unknown);
}

#[tokio::test(start_paused = true)]
async fn an_answer_without_head_has_no_leading_metadata() {
    let (peers, far) = connect_raw(Limits::default());
    let server = async {
        let (mut send, recv) = far.accept().await.unwrap();
        send.write(Bytes::from_static(&[0x02, 1, b'x', 0x03, 0])).await.unwrap();
        send.finish();
        recv
    };
    let asking = peers.stream(context(), Streaming::empty());
    let (response, _recv) = within(async { tokio::join!(asking, server) }).await;
    let mut response = response.unwrap();
    assert!(response.metadata.is_empty());
    assert_eq!(within(next(&mut response.message)).await.unwrap().as_deref(), Some("x"));
    assert_eq!(within(next(&mut response.message)).await.unwrap(), None);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_call_with_a_wrong_byte_is_answered_all_the_same(at in 0..40usize, byte in any::<u8>()) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
        runtime.unwrap().block_on(async {
            let mut bytes = call("hello");
            let at = at % bytes.len();
            bytes[at] = byte;
            let peers = connect(echo);
            let (_send, recv) = peers.open(bytes, true).await;
            within(Answered::read(recv)).await.expect("an answer, whatever it says");
            assert_eq!(within(peers.ask("other calls")).await.unwrap(), "other calls");
        });
    }

    #[test]
    fn whatever_a_responder_says_the_caller_survives(bytes in proptest::collection::vec(0..16u8, 0..40)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
        let outcome = runtime.unwrap().block_on(caller_of(bytes.clone()));
        if let Ok(text) = outcome {
            prop_assert!(bytes.windows(text.len()).any(|window| window == text.as_bytes()) || text.is_empty());
        }
    }
}

#[tokio::test(start_paused = true)]
async fn bytes_behind_the_end_are_not_read() {
    let mut bytes = call("hello");
    bytes.put_slice(&[0x1f, 0xff, 0x00]);
    let answered = connect(echo).answer_to(bytes).await;
    assert_eq!(answered.code(), Code::Ok);
    assert_eq!(caller_of(vec![0x02, 1, b'x', 0x03, 0, wire::CALL, 0xff]).await.unwrap(), "x");
}
