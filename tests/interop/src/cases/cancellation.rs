use std::time::Duration;

use futures_util::{StreamExt, stream};
use polywire::{Code, Status, Streaming};
use tokio::sync::mpsc;

use super::{Failure, Peer, REQUEST_SIZES, RESPONSE_SIZES, expect, streaming};
use crate::messages::StreamingInputCallRequest;

/// A call that is never answered ends by its deadline.
pub(super) async fn timeout(peer: &Peer) -> Result<(), Failure> {
    let (_open, requests) = Streaming::channel(1);
    let sent = Ok(streaming::request(REQUEST_SIZES[0], &[]));
    let requests = Streaming::new(stream::once(async { sent }).chain(requests));
    let call = peer.test.full_duplex_call(requests).timeout(Duration::from_millis(1));
    let outcome = match call.await {
        Ok(mut responses) => responses.message().await,
        Err(status) => Err(status),
    };
    expect::failed("FullDuplexCall", Code::DeadlineExceeded, outcome).map(drop)
}

/// A call that is given up before its first request: by requests that break off, which gives it a status, and by
/// being dropped, after which no caller is left to be told one.
pub(super) async fn after_begin(peer: &Peer) -> Result<(), Failure> {
    let broken = stream::iter([Err::<StreamingInputCallRequest, _>(Status::cancelled("given up"))]);
    let outcome = peer.test.streaming_input_call(Streaming::new(broken)).await;
    expect::failed("StreamingInputCall", Code::Cancelled, outcome)?;

    let (asked, mut begun) = mpsc::channel::<()>(1);
    let (open, requests) = Streaming::channel(1);
    // Requests are asked for once the call has begun.
    let requests =
        Streaming::new(stream::once(async move { drop(asked) }).filter_map(async |()| None).chain(requests));
    let call = peer.test.streaming_input_call(requests).into_future();
    tokio::select! {
        outcome = call => return Err(Failure::new(format!("expected no end before it is cancelled, found {outcome:?}"))),
        _ = begun.recv() => {}
    }
    open.closed().await;
    Ok(())
}

/// A call that is given up between two answers, in the same two ways.
pub(super) async fn after_first_response(peer: &Peer) -> Result<(), Failure> {
    for dropped in [false, true] {
        let (sender, requests) = Streaming::channel(1);
        let taken = sender.send(Ok(streaming::request(REQUEST_SIZES[0], &RESPONSE_SIZES[..1]))).await;
        expect::equal("the request is taken", true, taken.is_ok())?;
        let mut responses = peer.test.full_duplex_call(requests).await?;
        let response = responses.message().await?;
        let response = response.ok_or_else(|| Failure::new("expected an answer, found the end"))?;
        expect::zeros(RESPONSE_SIZES[0], response.payload.as_ref())?;
        if dropped {
            drop(responses);
        } else {
            // Whether it is taken shows in the outcome.
            let _ = sender.send(Err(Status::cancelled("given up"))).await;
            expect::failed("FullDuplexCall", Code::Cancelled, responses.message().await)?;
        }
        sender.closed().await;
    }
    Ok(())
}
