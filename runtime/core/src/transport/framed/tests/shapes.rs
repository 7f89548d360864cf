use bytes::Bytes;

use super::peers::{Answered, call, connect, context, echo, head, next, note, put, read, within};
use crate::{Codec, Response, Service, Streaming, wire};

#[tokio::test(start_paused = true)]
async fn one_message_is_answered_by_one() {
    let peers = connect(echo);
    assert_eq!(within(peers.ask("hello")).await.unwrap(), "hello");
}

#[tokio::test(start_paused = true)]
async fn the_answer_to_a_unary_call_is_one_write() {
    let answered = connect(echo).answer_to(call("hello")).await;
    assert_eq!((answered.messages, answered.chunks), (vec![Bytes::from("hello")], 1));
}

#[tokio::test(start_paused = true)]
async fn one_message_is_answered_by_many() {
    let peers = connect(async |_, mut messages| {
        let word = next(&mut messages).await?.unwrap_or_default();
        assert_eq!(next(&mut messages).await?, None);
        Ok(Response::new(Streaming::from_iter((0..3).map(move |n| note(&format!("{word} {n}"))))))
    });
    let mut answers = within(peers.stream(context(), Streaming::once(note("item")))).await.unwrap().message;
    for expected in ["item 0", "item 1", "item 2"] {
        assert_eq!(within(next(&mut answers)).await.unwrap().as_deref(), Some(expected));
    }
    assert_eq!(within(next(&mut answers)).await.unwrap(), None);
}

#[tokio::test(start_paused = true)]
async fn many_messages_are_answered_by_one() {
    let peers = connect(async |_, mut messages| {
        let mut words = Vec::new();
        while let Some(word) = next(&mut messages).await? {
            words.push(word);
        }
        Ok(Response::new(Streaming::once(note(&words.join(" ")))))
    });
    let words = Streaming::from_iter(["a", "b", "c"].map(note));
    let mut answers = within(peers.stream(context(), words)).await.unwrap().message;
    assert_eq!(within(next(&mut answers)).await.unwrap().as_deref(), Some("a b c"));
    assert_eq!(within(next(&mut answers)).await.unwrap(), None);
}

#[tokio::test(start_paused = true)]
async fn questions_and_answers_can_take_turns() {
    let peers = connect(echo);
    let (questions, messages) = Streaming::channel(1);
    let mut answers = within(peers.stream(context(), messages)).await.unwrap().message;
    for turn in ["one", "two", "three"] {
        questions.send(Ok(note(turn))).await.unwrap();
        assert_eq!(within(next(&mut answers)).await.unwrap().as_deref(), Some(turn));
    }
    drop(questions);
    assert_eq!(within(next(&mut answers)).await.unwrap(), None);
}

#[tokio::test(start_paused = true)]
async fn the_answer_comes_in_the_codec_of_the_question() {
    let peers = connect(async |cx, messages| {
        assert_eq!(cx.codec(), Some(Codec::Protobuf));
        echo(cx, messages).await
    });
    let question = crate::Payload::encoded(Codec::Protobuf, Bytes::from_static(b"\x0a\x01x"));
    let response = within(peers.unary(context().with_codec(Codec::Protobuf), question)).await.unwrap();
    assert_eq!(response.message.as_encoded(Codec::Protobuf).unwrap(), &b"\x0a\x01x"[..]);
}

#[tokio::test(start_paused = true)]
async fn small_messages_that_are_ready_share_writes() {
    let peers = connect(async |_, _| {
        let many = (0..10_000).map(|_| note("a message of 24 bytes..."));
        Ok(Response::new(Streaming::from_iter(many)))
    });
    let mut bytes = head(false, None);
    wire::put_end(&mut bytes);
    let answered = peers.answer_to(bytes).await;
    assert_eq!(answered.messages.len(), 10_000);
    // 29 bytes each, 16 KiB a write; the window tears some.
    assert!(answered.chunks <= 2 * (10_000 * 29 / (16 << 10)), "{} writes", answered.chunks);
}

#[tokio::test(start_paused = true)]
async fn a_message_that_is_ready_does_not_wait_for_the_next() {
    let peers = connect(async |_, _| {
        let first = futures_util::stream::iter([Ok(note("now"))]);
        Ok(Response::new(Streaming::new(futures_util::StreamExt::chain(
            first,
            futures_util::stream::pending(),
        ))))
    });
    let mut answers = within(peers.stream(context(), Streaming::empty())).await.unwrap().message;
    assert_eq!(within(next(&mut answers)).await.unwrap().as_deref(), Some("now"));
}

#[tokio::test(start_paused = true)]
async fn a_message_larger_than_the_window_waits_for_its_reader_and_arrives_whole() {
    let large = "x".repeat(1 << 20);
    let peers = connect(echo);
    let (questions, messages) = Streaming::channel(1);
    let mut answers = within(peers.stream(context(), messages)).await.unwrap().message;
    questions.send(Ok(note(&large))).await.unwrap();
    assert_eq!(within(answers.message()).await.unwrap().as_ref().map(read), Some(large));
}

#[tokio::test(start_paused = true)]
async fn a_stream_written_byte_by_byte_reads_the_same() {
    use crate::transport::framed::SendStream;

    let peers = connect(echo);
    let mut bytes = head(false, None);
    put(&mut bytes, "torn");
    wire::put_end(&mut bytes);
    let (mut send, recv) = peers.open(bytes.split_to(1), false).await;
    while !bytes.is_empty() {
        send.write(bytes.split_to(1).freeze()).await.unwrap();
    }
    send.finish();
    assert_eq!(within(Answered::read(recv)).await.unwrap().messages, ["torn"]);
}
