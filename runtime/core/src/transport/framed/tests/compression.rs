use bytes::{BufMut, Bytes, BytesMut};

use super::{
    super::{Connection, SendStream},
    peers::{
        Answering, Peers, call, compressing_head, connect, connect_raw, context, echo, next, note, put, read,
        serve, within,
    },
};
use crate::{
    Code, Compression, CompressionSet, Context, Limits, Payload, Response, Service, Streaming,
    wire::{self, RequestCompression},
};

const GZIP: CompressionSet = CompressionSet::none().with(Compression::Gzip);

/// A message that gets smaller.
fn long() -> String {
    "word ".repeat(200)
}

/// Peers of whom the called one takes messages up to 2,000 bytes, and answers with what it was sent, compressed
/// with gzip.
fn compressing() -> Peers {
    let limits = Limits { max_message_bytes: 2_000, ..Limits::default() };
    let answer = async |_: Context, messages: Streaming<Payload>| {
        Ok(Response::new(messages).with_compression(Compression::Gzip))
    };
    serve(Answering(answer), limits).0
}

/// The bytes of a unary call of `text`, compressed with gzip by this head or without a word.
fn compressed_call(compression: RequestCompression, text: &str) -> BytesMut {
    let mut buffer = compressing_head(true, None, compression);
    let encode = |buffer: &mut BytesMut| {
        buffer.put_slice(text.as_bytes());
        Ok(())
    };
    wire::put_compressible_message(&mut buffer, usize::MAX, Some(Compression::Gzip), encode).unwrap();
    wire::put_end(&mut buffer);
    buffer
}

#[tokio::test(start_paused = true)]
async fn each_message_of_a_compressed_direction_is_compressed_or_not() {
    let peers = connect(async |cx, messages| {
        assert_eq!(cx.compression(), Some(Compression::Gzip));
        let response = echo(cx, messages).await?;
        Ok(response.with_compression(Compression::Gzip))
    });
    let plain = [false, true, false];
    let messages = plain.map(|plain| note(&long()).with_uncompressed(plain));
    let cx = context().with_compression(Compression::Gzip);
    let response = within(peers.stream(cx, Streaming::from_iter(messages))).await.unwrap();
    assert_eq!(response.compression, Some(Compression::Gzip));
    let mut answers = response.message;
    for plain in plain {
        let answer = within(answers.message()).await.unwrap().unwrap();
        assert_eq!((read(&answer), answer.is_uncompressed()), (long(), plain));
    }
    assert_eq!(within(next(&mut answers)).await.unwrap(), None);
}

#[tokio::test(start_paused = true)]
async fn an_answer_is_compressed_for_a_caller_who_accepts_that_and_for_no_other() {
    let peers = compressing();
    let zstd = CompressionSet::none().with(Compression::Zstd);
    for (answers, compressed) in [(GZIP, 1), (zstd, 0), (CompressionSet::none(), 0)] {
        let mut bytes = compressing_head(true, None, RequestCompression { requests: None, answers });
        put(&mut bytes, &long());
        wire::put_end(&mut bytes);
        let answered = peers.answer_to(bytes).await;
        assert_eq!(answered.compressed, compressed, "{answers:?}");
        let said = answered.head.and_then(|head| head.compression);
        assert_eq!(said.is_some(), compressed == 1);
        assert_eq!(answered.messages[0].len() < long().len(), compressed == 1);
    }
}

#[tokio::test(start_paused = true)]
async fn a_compression_that_nobody_knows_is_unimplemented_before_any_handler_runs() {
    let peers = connect(async |_, _| panic!("a handler saw the call"));
    let mut bytes = BytesMut::from(&[0x01, 0x01, 0x16][..]);
    bytes.put_slice(b"\x01\x11/demo.v1.Demo/Get\x04\x01\x09");
    put(&mut bytes, "hello");
    wire::put_end(&mut bytes);
    let answered = peers.answer_to(bytes).await;
    assert_eq!(answered.code(), Code::Unimplemented);
    assert!(answered.tail.message.contains("gzip is 0x01"), "{}", answered.tail.message);
}

#[tokio::test(start_paused = true)]
async fn a_compressed_message_of_a_direction_that_names_no_compression_is_internal() {
    let bytes = compressed_call(RequestCompression::default(), &long());
    assert_eq!(compressing().answer_to(bytes).await.code(), Code::Internal);
    let (peers, far) = connect_raw(Limits::default());
    let answering = async {
        let (mut send, _recv) = far.accept().await.unwrap();
        send.write(Bytes::from_static(b"\x04\x01x\x03\x00")).await.unwrap();
        send.finish();
        _recv
    };
    let (outcome, _recv) = within(async { tokio::join!(peers.ask("hello"), answering) }).await;
    assert_eq!(outcome.unwrap_err().code(), Code::Internal);
}

#[tokio::test(start_paused = true)]
async fn an_answer_compressed_in_a_way_that_nobody_knows_is_the_responders_mistake() {
    let (peers, far) = connect_raw(Limits::default());
    let answering = async {
        let (mut send, recv) = far.accept().await.unwrap();
        send.write(Bytes::from_static(b"\x01\x03\x04\x01\x09\x04\x01x\x03\x00")).await.unwrap();
        send.finish();
        recv
    };
    let (outcome, _recv) = within(async { tokio::join!(peers.ask("hello"), answering) }).await;
    let status = outcome.unwrap_err();
    assert_eq!(status.code(), Code::Internal, "{status}");
    assert!(status.message().contains("0x09"), "{status}");
}

#[tokio::test(start_paused = true)]
async fn the_limit_is_on_what_comes_out_of_a_compressed_message() {
    let peers = compressing();
    let said = RequestCompression { requests: Some(Compression::Gzip), answers: GZIP };
    let fits = peers.answer_to(compressed_call(said, &"x".repeat(2_000))).await;
    assert_eq!(fits.code(), Code::Ok);
    let bomb = compressed_call(said, &"x".repeat(1 << 20));
    assert!(bomb.len() < 2_000, "what arrives is within the limit");
    assert_eq!(peers.answer_to(bomb).await.code(), Code::ResourceExhausted);
    assert_eq!(peers.answer_to(call("hello")).await.code(), Code::Ok);
}

#[tokio::test(start_paused = true)]
async fn data_that_do_not_decompress_are_internal() {
    let said = RequestCompression { requests: Some(Compression::Gzip), answers: GZIP };
    let mut bytes = compressing_head(true, None, said);
    bytes.put_slice(b"\x04\x05hello");
    wire::put_end(&mut bytes);
    assert_eq!(compressing().answer_to(bytes).await.code(), Code::Internal);
}
