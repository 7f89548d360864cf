//! How the directions of a stream end.

use bytes::Bytes;
use futures_util::FutureExt;

use super::{
    super::{MuxConfig, MuxConnection},
    peers::{pair, quiet, read_all, stream, within},
};
use crate::{
    transport::framed::{Connection, RecvStream, SendStream, StreamError},
    wire::StreamCode,
};

const CODES: [StreamCode; 5] = [
    StreamCode::NoError,
    StreamCode::Cancelled,
    StreamCode::Refused,
    StreamCode::ShuttingDown,
    StreamCode::ProtocolError,
];

fn ends() -> (MuxConnection, MuxConnection) {
    pair(MuxConfig::default(), MuxConfig::default())
}

fn text(text: &'static str) -> Bytes {
    Bytes::from_static(text.as_bytes())
}

#[tokio::test(start_paused = true)]
async fn either_side_opens_and_what_it_says_first_comes_with_the_stream() {
    let (client, server) = ends();
    for (near, far) in [(&client, &server), (&server, &client)] {
        let (_send, mut answer) = near.open(text("question"), true).await.unwrap();
        let (mut send, mut recv) = within(far.accept()).await.unwrap();
        assert_eq!(read_all(&mut recv).await.unwrap(), b"question");
        send.write(text("ans")).await.unwrap();
        send.end(text("wer")).await.unwrap();
        assert_eq!(read_all(&mut answer).await.unwrap(), b"answer");
    }
}

#[tokio::test(start_paused = true)]
async fn streams_are_accepted_in_the_order_they_were_opened() {
    let (client, server) = ends();
    let mut held = Vec::new();
    for index in 0..100u8 {
        held.push(client.open(Bytes::copy_from_slice(&[index]), true).await.unwrap());
    }
    for index in 0..100u8 {
        let (_send, mut recv) = within(server.accept()).await.unwrap();
        assert_eq!(read_all(&mut recv).await.unwrap(), [index]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_reset_carries_its_code_and_throws_away_what_was_not_read() {
    let (client, server) = ends();
    for code in CODES {
        let ((mut send, _recv), (_far_send, mut recv)) = stream(&client, &server).await;
        send.write(text("never read")).await.unwrap();
        quiet().await;
        send.reset(code);
        quiet().await;
        let outcome = recv.read().now_or_never().expect("it has arrived");
        assert!(matches!(outcome, Err(StreamError::Reset(said)) if said == code), "{code:?}: {outcome:?}");
        assert!(matches!(send.write(text("more")).await, Err(StreamError::Lost(_))));
    }
}

#[tokio::test(start_paused = true)]
async fn a_stop_carries_its_code_and_leaves_the_other_direction_alone() {
    let (client, server) = ends();
    for code in CODES {
        let ((mut send, mut near_recv), (mut far_send, mut recv)) = stream(&client, &server).await;
        assert!(send.stopped().now_or_never().is_none());
        let watching = [tokio::spawn(send.stopped()), tokio::spawn(send.stopped())];
        recv.stop(code);
        for watching in watching {
            within(watching).await.unwrap();
        }
        within(send.stopped()).await;
        let outcome = send.write(text("more")).await;
        assert!(matches!(outcome, Err(StreamError::Stopped(said)) if said == code), "{code:?}: {outcome:?}");
        far_send.end(text("answer")).await.unwrap();
        assert_eq!(read_all(&mut near_recv).await.unwrap(), b"answer");
        drop(send);
        let ended = within(recv.read()).await;
        assert!(matches!(ended, Err(StreamError::Reset(said)) if said == code), "{ended:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_writer_that_waits_for_room_learns_that_it_was_stopped() {
    let (client, server) = ends();
    let ((mut send, _near), (_far, mut recv)) = stream(&client, &server).await;
    let writing = tokio::spawn(async move { send.write(Bytes::from(vec![0; 1 << 20])).await });
    quiet().await;
    recv.stop(StreamCode::Cancelled);
    assert!(matches!(within(writing).await.unwrap(), Err(StreamError::Stopped(StreamCode::Cancelled))));
}

#[tokio::test(start_paused = true)]
async fn a_dropped_writer_ends_its_direction_well_and_a_dropped_reader_stops_it() {
    let (client, server) = ends();
    let ((mut send, near_recv), (far_send, mut recv)) = stream(&client, &server).await;
    send.write(text("all of it")).await.unwrap();
    drop(send);
    assert_eq!(read_all(&mut recv).await.unwrap(), b"all of it");
    drop(near_recv);
    within(far_send.stopped()).await;
}

#[tokio::test(start_paused = true)]
async fn a_direction_that_ended_well_is_never_stopped() {
    let (client, server) = ends();
    let ((mut send, _near_recv), (_far_send, mut recv)) = stream(&client, &server).await;
    send.end(text("done")).await.unwrap();
    assert_eq!(read_all(&mut recv).await.unwrap(), b"done");
    drop(recv);
    quiet().await;
    assert!(send.stopped().now_or_never().is_none());
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_is_given_up_before_it_was_written_is_never_seen() {
    let (client, server) = ends();
    let (mut send, mut recv) = client.open(text("given up"), false).now_or_never().unwrap().unwrap();
    send.reset(StreamCode::Cancelled);
    assert!(matches!(recv.read().await, Err(StreamError::Reset(StreamCode::Cancelled))));
    let _kept = client.open(text("kept"), true).await.unwrap();
    let (_send, mut recv) = within(server.accept()).await.unwrap();
    assert_eq!(read_all(&mut recv).await.unwrap(), b"kept");
}

#[tokio::test(start_paused = true)]
async fn an_end_that_waits_for_the_window_is_still_taken_back_by_a_reset() {
    let (client, server) = ends();
    let large = Bytes::from(vec![1; 1 << 20]);
    let (mut send, _recv) = client.open(large, true).await.unwrap();
    let (_send, mut recv) = within(server.accept()).await.unwrap();
    quiet().await;
    send.reset(StreamCode::Cancelled);
    quiet().await;
    assert!(matches!(recv.read().await, Err(StreamError::Reset(StreamCode::Cancelled))));
}
