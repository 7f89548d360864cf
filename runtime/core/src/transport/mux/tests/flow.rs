//! Windows, and turns.

use bytes::Bytes;
use futures_util::FutureExt;
use tokio::time::Instant;

use super::{
    super::{MuxConfig, frame::Frame},
    peers::{by_hand, pair, quiet, read_all, stream, within},
};
use crate::{
    transport::framed::{Connection, RecvStream, SendStream},
    wire::StreamCode,
};

const KIB: usize = 1 << 10;

fn windows(stream: usize, connection: usize) -> MuxConfig {
    MuxConfig { stream_window: stream as u32, connection_window: connection as u32, ..MuxConfig::default() }
}

#[tokio::test(start_paused = true)]
async fn a_reader_that_reads_nothing_holds_the_writer_back() {
    let (client, server) = pair(MuxConfig::default(), windows(64 * KIB, 16 << 20));
    let ((mut send, _near), (_far, mut recv)) = stream(&client, &server).await;
    let mut sent = 0;
    while send.write(Bytes::from(vec![0; KIB])).now_or_never().is_some() {
        sent += KIB;
        quiet().await;
    }
    assert_eq!(sent, 64 * KIB, "the window, and nothing beyond it");
    let mut more = Bytes::from(vec![0; 4 * KIB]);
    send.try_write(&mut more).unwrap();
    assert_eq!(more.len(), 4 * KIB);
    while sent > 32 * KIB {
        sent -= within(recv.read()).await.unwrap().unwrap().len();
    }
    quiet().await;
    send.try_write(&mut more).unwrap();
    assert!(more.is_empty(), "half of the window has come back");
}

#[tokio::test(start_paused = true)]
async fn much_more_than_the_windows_arrives_whole() {
    for (stream_window, connection_window) in [(16, 16), (16, 1024), (64, 16), (256, 16 << 10)] {
        let (client, server) =
            pair(MuxConfig::default(), windows(stream_window * KIB, connection_window * KIB));
        let ((mut send, _near), (_far, mut recv)) = stream(&client, &server).await;
        let all: Bytes = (0..3_000_000u32).map(|n| (n >> 3) as u8).collect();
        let sent = all.clone();
        let writing = tokio::spawn(async move { send.end(sent).await });
        assert!(read_all(&mut recv).await.unwrap() == all, "{stream_window} KiB, {connection_window} KiB");
        within(writing).await.unwrap().unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn streams_that_nobody_reads_use_up_the_connection_and_no_more() {
    let (client, server) = pair(MuxConfig::default(), windows(64 * KIB, 128 * KIB));
    let mut held = Vec::new();
    for _ in 0..4 {
        let ((mut send, near), far) = stream(&client, &server).await;
        let writing =
            tokio::spawn(async move { send.write(Bytes::from(vec![0; 64 * KIB])).await.map(|()| send) });
        quiet().await;
        held.push((writing, near, far));
    }
    let mut unread = || {
        let recvs = held.iter_mut().map(|(_, _, (_, recv))| recv);
        // Nothing else runs in between, so no credit is given back yet.
        let chunks = recvs.flat_map(|recv| std::iter::from_fn(|| recv.read().now_or_never()));
        chunks.map(|chunk| chunk.unwrap().unwrap().len()).sum::<usize>()
    };
    assert_eq!(unread(), 128 * KIB);
    quiet().await;
    assert_eq!(unread(), 128 * KIB, "what was read lets the others through");
}

#[tokio::test(start_paused = true)]
async fn what_is_thrown_away_gives_its_room_back() {
    let (client, server) = pair(MuxConfig::default(), windows(64 * KIB, 64 * KIB));
    for round in 0..20 {
        let ((mut send, near), (_far, mut recv)) = stream(&client, &server).await;
        within(send.write(Bytes::from(vec![0; 60 * KIB]))).await.unwrap();
        quiet().await;
        match round % 4 {
            0 => send.reset(StreamCode::Cancelled),
            1 => recv.stop(StreamCode::Cancelled),
            2 => drop(recv),
            _ => {
                // Stopped while more is on its way.
                recv.stop(StreamCode::NoError);
                let _ = send.try_write(&mut Bytes::from(vec![0; 4 * KIB]));
            }
        }
        drop((send, near));
        quiet().await;
    }
    let ((mut send, _near), (_far, mut recv)) = stream(&client, &server).await;
    let writing = tokio::spawn(async move { send.end(Bytes::from(vec![0; 200 * KIB])).await });
    assert_eq!(read_all(&mut recv).await.unwrap().len(), 200 * KIB);
    within(writing).await.unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn small_calls_do_not_wait_for_a_large_message() {
    let (client, server) = pair(MuxConfig::default(), MuxConfig::default());
    let ((mut send, _near), (_far, mut large)) = stream(&client, &server).await;
    let writing = tokio::spawn(async move { send.end(Bytes::from(vec![0; 1 << 20])).await });
    quiet().await;
    let began = Instant::now();
    for _ in 0..100 {
        let _small = client.open(Bytes::from_static(b"small"), true).await.unwrap();
        let (_send, mut recv) = within(server.accept()).await.unwrap();
        assert_eq!(read_all(&mut recv).await.unwrap(), b"small");
    }
    assert_eq!(began.elapsed().as_secs(), 0);
    assert!(!writing.is_finished(), "nobody reads the large one yet");
    assert_eq!(read_all(&mut large).await.unwrap().len(), 1 << 20);
    within(writing).await.unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn streams_take_turns_by_the_frame() {
    let (server, mut hand) = by_hand(MuxConfig::default());
    let mut held = Vec::new();
    for _ in 0..4 {
        held.push(server.open(Bytes::from(vec![0; 50 * KIB]), true).await.unwrap());
    }
    let mut turns = Vec::new();
    for _ in 0..16 {
        match hand.hear().await {
            Some(Frame::Data { stream, payload, .. }) => turns.push((stream, payload.len() / KIB)),
            other => panic!("{other:?}"),
        }
    }
    let round = |length| [2, 4, 6, 8].map(|stream| (stream, length));
    assert_eq!(turns, [round(16), round(16), round(16), round(2)].concat());
}
