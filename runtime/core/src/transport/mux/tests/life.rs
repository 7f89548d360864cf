//! How connections live, and end.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use futures_util::FutureExt;
use tokio::{runtime::Handle, time::Instant};

use super::{
    super::{MuxCode, MuxConfig, MuxConnection, MuxError, frame::Frame},
    peers::{by_hand, pair, quiet, read_all, stream, within},
};
use crate::{
    Code, Status,
    transport::framed::{Connection, RecvStream, SendStream, StreamError},
    wire::ConnectionCode,
};

fn ends() -> (MuxConnection, MuxConnection) {
    pair(MuxConfig::default(), MuxConfig::default())
}

/// Nothing but this test runs any more.
async fn nothing_runs() {
    within(async {
        while Handle::current().metrics().num_alive_tasks() > 0 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    })
    .await;
}

fn lost(outcome: Result<impl Sized, StreamError>) -> Status {
    match outcome {
        Err(StreamError::Lost(status)) => status,
        Err(other) => panic!("{other:?}"),
        Ok(_) => panic!("the connection is over"),
    }
}

#[tokio::test(start_paused = true)]
async fn a_close_says_why_to_everything_on_either_side() {
    let cases = [
        (ConnectionCode::Closed, Code::Unavailable, false),
        (ConnectionCode::ShutDown, Code::Unavailable, false),
        (ConnectionCode::Denied, Code::PermissionDenied, true),
        (ConnectionCode::Alpns, Code::Unavailable, true),
    ];
    for (code, expected, not_processed) in cases {
        let (client, server) = ends();
        let ((mut send, mut recv), (mut far_send, mut far_recv)) = stream(&client, &server).await;
        let accepting = tokio::spawn({
            let client = client.clone();
            async move { client.accept().await.map(|_| ()) }
        });
        let reading = tokio::spawn(async move { recv.read().await });
        quiet().await;
        server.close(code, "for a reason");
        let error = within(client.closed()).await;
        assert!(
            matches!(&error, MuxError::ClosedByPeer { code: said, reason } if *said == code && reason == "for a reason"),
            "{error:?}"
        );
        for status in [
            lost(within(reading).await.unwrap()),
            lost(within(accepting).await.unwrap()),
            lost(send.write(Bytes::from_static(b"x")).await),
        ] {
            assert_eq!((status.code(), status.is_not_processed()), (expected, not_processed), "{status}");
            assert_eq!(status.message(), format!("{code}: for a reason"));
        }
        assert!(lost(client.open(Bytes::new(), true).await).is_not_processed());
        within(send.stopped()).await;
        assert_eq!(lost(far_send.write(Bytes::from_static(b"x")).await).code(), Code::Unavailable);
        assert_eq!(lost(far_recv.read().await).code(), Code::Unavailable);
        assert!(matches!(server.closed().await, MuxError::Closed { code: said, .. } if said == code));
    }
}

#[tokio::test(start_paused = true)]
async fn what_was_written_before_a_close_arrives_before_it() {
    let (client, server) = ends();
    let mut held = Vec::new();
    for _ in 0..4 {
        held.push(stream(&client, &server).await);
    }
    // Together they are several writes, and none of them has been made yet.
    for (_, (far_send, _)) in &mut held {
        far_send.try_write(&mut Bytes::from(vec![7; 60_000])).unwrap();
        far_send.finish();
    }
    Connection::close(&server, ConnectionCode::Closed, "");
    for ((_, recv), _) in &mut held {
        assert_eq!(read_all(recv).await.unwrap(), vec![7; 60_000]);
    }
    assert!(matches!(within(client.closed()).await, MuxError::ClosedByPeer { .. }));
}

#[tokio::test(start_paused = true)]
async fn no_task_outlives_its_connection() {
    let (client, server) = ends();
    let (near, far) = stream(&client, &server).await;
    assert_eq!(Handle::current().metrics().num_alive_tasks(), 2);
    drop(client);
    quiet().await;
    assert!(server.close_reason().is_none(), "a stream is held");
    drop(near);
    within(server.closed()).await;
    nothing_runs().await;
    drop((far, server));
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_does_not_read_does_not_keep_a_closed_connection_alive() {
    let (server, hand) = by_hand(MuxConfig::default());
    let began = Instant::now();
    let (mut send, _recv) = server.open(Bytes::from(vec![0; 500_000]), false).await.unwrap();
    quiet().await;
    server.close(ConnectionCode::Closed, "");
    assert_eq!(lost(send.write(Bytes::from_static(b"x")).await).code(), Code::Unavailable);
    nothing_runs().await;
    assert!(began.elapsed() < Duration::from_millis(1_100), "{:?}", began.elapsed());
    drop(hand);
}

#[tokio::test(start_paused = true)]
async fn a_pipe_that_breaks_loses_the_connection() {
    let (server, mut hand) = by_hand(MuxConfig::default());
    hand.say([0x02, 1, 2, b'h', b'i']).await;
    let (_send, mut recv) = within(server.accept()).await.unwrap();
    drop(hand);
    assert!(matches!(within(server.closed()).await, MuxError::Ended | MuxError::Broken(_)));
    assert_eq!(read_all(&mut recv).await.unwrap(), b"hi", "what has arrived is still there");
    nothing_runs().await;
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_vanishes_is_noticed() {
    let (server, mut hand) = by_hand(MuxConfig::default());
    let began = Instant::now();
    let waiting = server.accept();
    let status = lost(within(waiting).await);
    assert_eq!(began.elapsed().as_secs(), 10);
    assert_eq!(
        (status.code(), status.message()),
        (Code::Unavailable, "nothing was heard of the peer for 10s")
    );
    let told = hand.hear().await;
    assert!(matches!(told, Some(Frame::Close { code, .. }) if code == MuxCode::Timeout as u64), "{told:?}");
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_has_nothing_to_say_but_is_alive_is_kept() {
    let (client, server) = ends();
    tokio::time::sleep(Duration::from_secs(3600)).await;
    assert!(client.close_reason().is_none() && server.close_reason().is_none());
    let _stream = stream(&client, &server).await;
}

#[tokio::test(start_paused = true)]
async fn the_round_trip_is_measured() {
    let (server, mut hand) = by_hand(MuxConfig::default());
    assert_eq!(server.rtt(), None);
    let mut ping = [0; 11];
    within(tokio::io::AsyncReadExt::read_exact(&mut hand.io, &mut ping)).await.unwrap();
    assert_eq!(ping[..3], [0x06, 0, 8]);
    tokio::time::advance(Duration::from_millis(40)).await;
    ping[0] = 0x07;
    hand.say(ping).await;
    quiet().await;
    let rtt = server.rtt().expect("it has been answered");
    assert!((40..45).contains(&rtt.as_millis()), "{rtt:?}");
}

#[tokio::test(start_paused = true)]
async fn a_runtime_that_shuts_down_loses_its_connections() {
    let (sender, receiver) = std::sync::mpsc::channel();
    let thread = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let connection = runtime.block_on(async { by_hand(MuxConfig::default()) });
        drop(runtime);
        sender.send(connection).unwrap();
    });
    thread.join().unwrap();
    let (server, _hand) = receiver.recv().unwrap();
    assert!(matches!(server.closed().now_or_never(), Some(MuxError::NotDriven)));
    assert!(server.open(Bytes::new(), true).now_or_never().unwrap().is_err());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn calls_from_many_threads_all_get_their_answers() {
    let (client, server) = ends();
    let serving = tokio::spawn(async move {
        while let Ok((mut send, mut recv)) = server.accept().await {
            tokio::spawn(async move {
                while let Ok(Some(chunk)) = recv.read().await {
                    if send.write(chunk).await.is_err() {
                        return;
                    }
                }
                send.finish();
            });
        }
    });
    let client = Arc::new(client);
    let callers: Vec<_> = (0..32u32)
        .map(|caller| {
            let client = client.clone();
            tokio::spawn(async move {
                for call in 0..50u32 {
                    let length = (caller * 977 + call * 3331) as usize % 100_000;
                    let question = Bytes::from(vec![caller as u8; length]);
                    let (_send, mut recv) = client.open(question.clone(), true).await.unwrap();
                    assert!(read_all(&mut recv).await.unwrap() == question, "{caller}, {call}");
                }
            })
        })
        .collect();
    for caller in callers {
        caller.await.unwrap();
    }
    drop(client);
    serving.await.unwrap();
}
