use polywire::{Code, Streaming};

use super::{Failure, LARGE_RESPONSE, Peer, expect, unary, zeros};
use crate::{
    compressed::COMPRESSION,
    messages::{
        BoolValue, ResponseParameters, SimpleRequest, StreamingInputCallRequest, StreamingOutputCallRequest,
    },
};

fn said(value: bool) -> Option<BoolValue> {
    Some(BoolValue { value })
}

/// A request that came otherwise than it says is refused; compressed and plain ones are answered.
pub(super) async fn client_unary(peer: &Peer) -> Result<(), Failure> {
    let request =
        |compressed| SimpleRequest { expect_compressed: said(compressed), ..unary::large_request() };
    let outcome = peer.test.unary_call(request(true)).await;
    expect::failed("a plain request that says it is compressed", Code::InvalidArgument, outcome)?;
    let response = peer.test.unary_call(request(true)).compression(COMPRESSION).await?;
    expect::zeros(LARGE_RESPONSE, response.payload.as_ref())?;
    let response = peer.test.unary_call(request(false)).await?;
    expect::zeros(LARGE_RESPONSE, response.payload.as_ref())
}

/// The answer is compressed or plain, as the request asks for.
pub(super) async fn server_unary(peer: &Peer) -> Result<(), Failure> {
    for compressed in [true, false] {
        let request = SimpleRequest { response_compressed: said(compressed), ..unary::large_request() };
        let response = peer.test.unary_call(request).response().await?;
        expect::equal("the answer is compressed", compressed, response.compression.is_some())?;
        expect::zeros(LARGE_RESPONSE, response.message.payload.as_ref())?;
    }
    Ok(())
}

/// As `client_unary`, with a compressed and a plain request in one stream.
pub(super) async fn client_streaming(peer: &Peer) -> Result<(), Failure> {
    let request = |size, compressed| StreamingInputCallRequest {
        payload: zeros(size),
        expect_compressed: said(compressed),
    };
    let probe = Streaming::from_iter([request(27_182, true)]);
    let outcome = peer.test.streaming_input_call(probe).await;
    expect::failed("a plain request that says it is compressed", Code::InvalidArgument, outcome)?;
    let requests = Streaming::from_iter([request(27_182, true), request(45_904, false)]);
    let requests = requests.compress_if(|request| request.expect_compressed == said(true));
    let response = peer.test.streaming_input_call(requests).compression(COMPRESSION).await?;
    expect::equal("aggregated_payload_size", 73_086, response.aggregated_payload_size)
}

/// A compressed and a plain answer in one stream.
pub(super) async fn server_streaming(peer: &Peer) -> Result<(), Failure> {
    let expected = [(31_415, true), (92_653, false)];
    let parameters =
        |(size, compressed)| ResponseParameters { size, compressed: said(compressed), interval_us: 0 };
    let request = StreamingOutputCallRequest {
        response_parameters: expected.map(parameters).to_vec(),
        ..StreamingOutputCallRequest::default()
    };
    let mut responses = peer.test.streaming_output_call(request).await?;
    for (size, compressed) in expected {
        let response = responses.message().await?;
        let response = response.ok_or_else(|| Failure::new("expected an answer, found the end"))?;
        expect::equal("the answer is compressed", compressed, responses.last_compression().is_some())?;
        expect::zeros(size, response.payload.as_ref())?;
    }
    expect::equal("a further answer", None, responses.message().await?)
}
