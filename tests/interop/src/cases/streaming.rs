use polywire::Streaming;

use super::{Failure, Peer, REQUEST_SIZES, RESPONSE_SIZES, expect, zeros};
use crate::messages::{ResponseParameters, StreamingInputCallRequest, StreamingOutputCallRequest};

/// A request that is answered with payloads of these sizes.
pub(super) fn request(size: usize, answers: &[i32]) -> StreamingOutputCallRequest {
    let answer = |size: &i32| ResponseParameters { size: *size, ..ResponseParameters::default() };
    StreamingOutputCallRequest {
        response_parameters: answers.iter().map(answer).collect(),
        payload: zeros(size),
        ..StreamingOutputCallRequest::default()
    }
}

/// Four requests, one answer that has counted them.
pub(super) async fn client(peer: &Peer) -> Result<(), Failure> {
    let requests = REQUEST_SIZES.map(|size| StreamingInputCallRequest {
        payload: zeros(size),
        ..StreamingInputCallRequest::default()
    });
    let response = peer.test.streaming_input_call(Streaming::from_iter(requests)).await?;
    expect::equal("aggregated_payload_size", 74_922, response.aggregated_payload_size)
}

/// One request, four answers.
pub(super) async fn server(peer: &Peer) -> Result<(), Failure> {
    let request = StreamingOutputCallRequest { payload: None, ..request(0, &RESPONSE_SIZES) };
    let mut responses = peer.test.streaming_output_call(request).await?;
    let mut count = 0;
    while let Some(response) = responses.message().await? {
        if let Some(size) = RESPONSE_SIZES.get(count) {
            expect::zeros(*size, response.payload.as_ref())?;
        }
        count += 1;
    }
    expect::equal("answers", RESPONSE_SIZES.len(), count)
}

/// Each request is sent when the one before has been answered.
pub(super) async fn ping_pong(peer: &Peer) -> Result<(), Failure> {
    let (sender, requests) = Streaming::channel(1);
    let mut exchanges = REQUEST_SIZES.into_iter().zip(RESPONSE_SIZES);
    let mut next = async || match exchanges.next() {
        Some((request_size, response_size)) => {
            let taken = sender.send(Ok(request(request_size, &[response_size]))).await;
            expect::equal("the request is taken", true, taken.is_ok()).map(|()| Some(response_size))
        }
        None => Ok(None),
    };
    // A server may say nothing before it has seen a request.
    let mut expected = next().await?;
    let mut responses = peer.test.full_duplex_call(requests).await?;
    while let Some(size) = expected {
        let response = responses.message().await?;
        let response = response.ok_or_else(|| Failure::new("expected an answer, found the end"))?;
        expect::zeros(size, response.payload.as_ref())?;
        expected = next().await?;
    }
    drop(sender);
    expect::equal("a further answer", None, responses.message().await?)
}

/// No message in either direction.
pub(super) async fn empty(peer: &Peer) -> Result<(), Failure> {
    let mut responses = peer.test.full_duplex_call(Streaming::empty()).await?;
    expect::equal("an answer", None, responses.message().await?)
}
