//! How many streams.

use bytes::Bytes;
use futures_util::FutureExt;

use super::{
    super::{MuxConfig, frame::Frame},
    peers::{by_hand, pair, quiet, within},
};
use crate::{
    transport::framed::{Connection, RecvStream, SendStream, StreamError},
    wire::StreamCode,
};

fn streams(max_concurrent_streams: u32) -> MuxConfig {
    MuxConfig { max_concurrent_streams, ..MuxConfig::default() }
}

#[tokio::test(start_paused = true)]
async fn an_opener_waits_at_the_limit_until_a_stream_has_ended_both_ways() {
    let (client, server) = pair(MuxConfig::default(), streams(2));
    let open = || client.open(Bytes::from_static(b"x"), true);
    let _first = open().await.unwrap();
    let _second = open().await.unwrap();
    assert!(open().now_or_never().is_none(), "nothing is refused, and nothing sent");
    let third = tokio::spawn({
        let client = client.clone();
        async move { client.open(Bytes::from_static(b"third"), true).await }
    });
    let (mut send, mut recv) = within(server.accept()).await.unwrap();
    assert!(within(recv.read()).await.unwrap().is_some());
    quiet().await;
    assert!(!third.is_finished(), "it has not been answered yet");
    send.finish();
    within(third).await.unwrap().unwrap();
    let _second = within(server.accept()).await.unwrap();
    let (_send, mut recv) = within(server.accept()).await.unwrap();
    assert_eq!(within(recv.read()).await.unwrap().unwrap(), "third");
}

#[tokio::test(start_paused = true)]
async fn a_limit_is_never_met_by_those_who_wait() {
    let (client, server) = pair(MuxConfig::default(), streams(3));
    let serving = tokio::spawn(async move {
        let mut served = 0;
        while let Ok((mut send, mut recv)) = server.accept().await {
            served += 1;
            tokio::spawn(async move {
                // Some are answered, some reset, some given up by their caller.
                match recv.read().await {
                    Ok(Some(bytes)) if bytes[0] % 3 == 0 => send.reset(StreamCode::Cancelled),
                    Ok(bytes) => send.end(bytes.unwrap_or_default()).await.unwrap_or(()),
                    Err(_) => {}
                }
            });
        }
        served
    });
    let callers: Vec<_> = (0..200u8)
        .map(|index| {
            let client = client.clone();
            tokio::spawn(async move {
                let (mut send, mut recv) = client.open(Bytes::from(vec![index]), true).await.unwrap();
                if index % 7 == 0 {
                    recv.stop(StreamCode::Cancelled);
                    send.reset(StreamCode::Cancelled);
                    return;
                }
                match recv.read().await {
                    Ok(Some(bytes)) => assert_eq!(bytes[..], [index]),
                    Err(StreamError::Reset(StreamCode::Cancelled)) if index % 3 == 0 => {}
                    other => panic!("{index}: {other:?}"),
                }
            })
        })
        .collect();
    for caller in callers {
        within(caller).await.unwrap();
    }
    drop(client);
    assert!(within(serving).await.unwrap() > 100);
}

#[tokio::test(start_paused = true)]
async fn a_stream_beyond_the_limit_is_refused_as_not_processed_and_costs_the_others_nothing() {
    let (server, mut hand) = by_hand(streams(1));
    hand.say([0x01, 1, 1, b'a', 0x02, 3, 1, b'b', 0x01, 1, 1, b'c']).await;
    assert_eq!(hand.hear().await, Some(Frame::Stop { stream: 3, code: StreamCode::Refused }));
    assert_eq!(hand.hear().await, Some(Frame::Reset { stream: 3, code: StreamCode::Refused }));
    assert!(StreamCode::Refused.is_not_processed());
    let (mut send, mut recv) = within(server.accept()).await.unwrap();
    assert_eq!(within(recv.read()).await.unwrap().unwrap(), "ac");
    // What was already under way for the refused one is thrown away.
    hand.say([0x01, 3, 1, b'd', 0x02, 1, 0]).await;
    send.finish();
    assert!(matches!(hand.hear().await, Some(Frame::Data { stream: 1, fin: true, .. })));
    hand.say([0x02, 5, 1, b'e']).await;
    let (_send, mut recv) = within(server.accept()).await.unwrap();
    assert_eq!(within(recv.read()).await.unwrap().unwrap(), "e");
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_its_opener_gave_up_counts_until_its_handler_is_gone() {
    let (server, mut hand) = by_hand(streams(1));
    hand.say([0x01, 1, 1, b'a', 0x03, 1, 1, 1, 0x04, 1, 1, 1]).await;
    let (send, _recv) = within(server.accept()).await.unwrap();
    within(send.stopped()).await;
    hand.say([0x02, 3, 0]).await;
    assert_eq!(hand.hear().await, Some(Frame::Stop { stream: 3, code: StreamCode::Refused }));
    assert_eq!(hand.hear().await, Some(Frame::Reset { stream: 3, code: StreamCode::Refused }));
    drop(send);
    assert_eq!(hand.hear().await, Some(Frame::Reset { stream: 1, code: StreamCode::Cancelled }));
    hand.say([0x02, 5, 0]).await;
    within(server.accept()).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn an_open_that_is_given_up_while_it_waits_takes_no_slot() {
    let (client, server) = pair(MuxConfig::default(), streams(1));
    let first = client.open(Bytes::from_static(b"first"), true).await.unwrap();
    assert!(client.open(Bytes::from_static(b"given up"), true).now_or_never().is_none());
    drop(within(server.accept()).await.unwrap());
    drop(first);
    let _second = within(client.open(Bytes::from_static(b"second"), true)).await.unwrap();
    let (_send, mut recv) = within(server.accept()).await.unwrap();
    assert_eq!(within(recv.read()).await.unwrap().unwrap(), "second");
}
