use bytes::Bytes;

use super::peers::{connect, context, echo, next, note, within};
use crate::{Code, Metadata, Response, Service, Status, Streaming};

fn metadata(key: &str, value: &str) -> Metadata {
    let mut metadata = Metadata::new();
    metadata.append(key, value).unwrap();
    metadata
}

#[tokio::test(start_paused = true)]
async fn metadata_travels_with_the_question() {
    let peers = connect(async |cx, messages| {
        assert_eq!(cx.metadata().get_all("tenant").collect::<Vec<_>>(), ["blue", "green"]);
        assert_eq!(cx.metadata().get_bin("trace-bin").unwrap(), &b"\xff\0"[..]);
        echo(cx, messages).await
    });
    let mut cx = context().with_metadata("tenant", "blue").unwrap().with_metadata("tenant", "green").unwrap();
    cx.metadata_mut().append_bin("trace-bin", &b"\xff\0"[..]).unwrap();
    within(peers.unary(cx, note("hello"))).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn metadata_leads_and_trails_a_single_answer() {
    let peers = connect(async |_, messages| {
        let response = Response::new(messages).with_metadata(metadata("served-by", "a"));
        Ok(response.with_trailers(metadata("cost", "7")))
    });
    let response = within(peers.unary(context(), note("hello"))).await.unwrap();
    assert_eq!(response.metadata, metadata("served-by", "a"));
    assert_eq!(response.trailers, metadata("cost", "7"));
}

#[tokio::test(start_paused = true)]
async fn metadata_trails_a_stream() {
    let peers = connect(async |_, messages: Streaming<_>| {
        Ok(Response::new(messages.with_trailers(|| metadata("total", "1"))))
    });
    let mut answers = within(peers.stream(context(), Streaming::once(note("a")))).await.unwrap().message;
    assert_eq!(within(next(&mut answers)).await.unwrap().as_deref(), Some("a"));
    assert!(answers.trailers().is_empty());
    assert_eq!(within(next(&mut answers)).await.unwrap(), None);
    assert_eq!(answers.trailers(), &metadata("total", "1"));
}

#[tokio::test(start_paused = true)]
async fn leading_metadata_does_not_wait_for_the_first_message() {
    let peers = connect(async |_, _| {
        let never = Streaming::new(futures_util::stream::pending());
        Ok(Response::new(never).with_metadata(metadata("served-by", "a")))
    });
    let response = within(peers.stream(context(), Streaming::empty())).await.unwrap();
    assert_eq!(response.metadata, metadata("served-by", "a"));
}

#[tokio::test(start_paused = true)]
async fn a_failure_arrives_with_its_message_details_and_metadata() {
    let peers = connect(async |_, _| {
        let status =
            Status::failed_precondition("out of stock").with_details(Bytes::from_static(b"\x08\x09"));
        Err(status.with_metadata(metadata("retry-after", "60")))
    });
    for outcome in [
        within(peers.unary(context(), note("hello"))).await.map(|_| ()),
        within(peers.stream(context(), Streaming::empty())).await.map(|_| ()),
    ] {
        let status = outcome.unwrap_err();
        assert_eq!((status.code(), status.message()), (Code::FailedPrecondition, "out of stock"));
        assert_eq!(status.details(), &b"\x08\x09"[..]);
        assert_eq!(status.metadata(), &metadata("retry-after", "60"));
    }
}

#[tokio::test(start_paused = true)]
async fn messages_before_a_failure_arrive() {
    let peers = connect(async |_, _| {
        let messages = [Ok(note("one")), Err(Status::data_loss("the rest is gone"))];
        Ok(Response::new(Streaming::new(futures_util::stream::iter(messages))))
    });
    let mut answers = within(peers.stream(context(), Streaming::empty())).await.unwrap().message;
    assert_eq!(within(next(&mut answers)).await.unwrap().as_deref(), Some("one"));
    assert_eq!(within(next(&mut answers)).await.unwrap_err().code(), Code::DataLoss);
}
