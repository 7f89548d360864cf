use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::{Instant, sleep};

use super::super::ListenerOptions;
use super::raw::opening;
use super::{Served, hello};

/// Writes a byte at a time until the server closes; returns how long it took, in seconds.
async fn trickle(served: &Served, bytes: &[u8], pause: Duration) -> u64 {
    let began = Instant::now();
    let (mut reader, mut writer) = tokio::io::split(served.connect(1 << 16));
    let trickled = async {
        for byte in bytes {
            // Fails when the server has closed, which the reader sees as well.
            let _ = writer.write_all(&[*byte]).await;
            sleep(pause).await;
        }
        std::future::pending::<()>().await;
    };
    let mut answer = Vec::new();
    tokio::select! {
        () = trickled => unreachable!("it is for ever"),
        outcome = reader.read_to_end(&mut answer) => { outcome.unwrap(); }
    }
    began.elapsed().as_secs()
}

const SECOND: Duration = Duration::from_secs(1);

#[tokio::test(start_paused = true)]
async fn a_client_that_says_nothing_is_closed() {
    let served = Served::http2(ListenerOptions::default(), hello());
    assert_eq!(trickle(&served, b"", SECOND).await, 10);
    served.opened(0).await;
}

#[tokio::test(start_paused = true)]
async fn a_preface_of_one_byte_is_closed() {
    let served = Served::http2(ListenerOptions::default(), hello());
    assert_eq!(trickle(&served, b"P", SECOND).await, 10);
}

#[tokio::test(start_paused = true)]
async fn a_trickled_preface_is_closed_though_it_never_pauses() {
    let served = Served::http2(ListenerOptions::default(), hello());
    assert_eq!(trickle(&served, &opening(), SECOND).await, 10);
}

#[tokio::test(start_paused = true)]
async fn a_preface_without_settings_is_closed() {
    let served = Served::http2(ListenerOptions::default(), hello());
    assert_eq!(trickle(&served, &opening()[..24], Duration::from_millis(1)).await, 10);
}

#[tokio::test(start_paused = true)]
async fn another_protocol_is_closed_at_once() {
    let served = Served::http2(ListenerOptions::default(), hello());
    assert_eq!(trickle(&served, b"GET / HTTP/1.1\r\n\r\n", Duration::ZERO).await, 0);
}

#[tokio::test(start_paused = true)]
async fn a_client_that_vanishes_after_its_preface_is_closed_by_keep_alive() {
    let served = Served::http2(ListenerOptions::default(), hello());
    assert_eq!(trickle(&served, &opening(), Duration::ZERO).await, 20);
}

#[tokio::test(start_paused = true)]
async fn an_http1_client_is_closed_when_its_head_does_not_come() {
    let served = Served::http1(ListenerOptions::default(), hello());
    assert_eq!(trickle(&served, b"", SECOND).await, 10);
    assert_eq!(trickle(&served, b"GET / HTTP/1.1\r\nhost: trickled-for-long\r\n", SECOND).await, 10);
}

#[tokio::test(start_paused = true)]
async fn an_http1_client_that_idles_after_its_answer_is_closed() {
    let served = Served::http1(ListenerOptions::default(), hello());
    assert_eq!(trickle(&served, b"GET / HTTP/1.1\r\nhost: a\r\n\r\n", Duration::ZERO).await, 10);
}
