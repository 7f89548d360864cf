use bytes::Bytes;
use polywire::{Call, Metadata, Streaming};

use super::{Failure, LARGE_REQUEST, LARGE_RESPONSE, Peer, expect, streaming, unary};
use crate::echo::{INITIAL, TRAILING};

const INITIAL_VALUE: &str = "test_initial_metadata_value";
const TRAILING_VALUE: Bytes = Bytes::from_static(&[0xab, 0xab, 0xab]);

/// One entry comes back before the answer, one behind it.
pub(super) async fn custom(peer: &Peer) -> Result<(), Failure> {
    let response = with_metadata(peer.test.unary_call(unary::large_request())).response().await?;
    expect::zeros(LARGE_RESPONSE, response.message.payload.as_ref())?;
    assert_echoed("UnaryCall", &response.metadata, &response.trailers)?;

    let request = streaming::request(LARGE_REQUEST, &[LARGE_RESPONSE]);
    let call = with_metadata(peer.test.full_duplex_call(Streaming::once(request)));
    let mut response = call.response().await?;
    while let Some(answer) = response.message.message().await? {
        expect::zeros(LARGE_RESPONSE, answer.payload.as_ref())?;
    }
    assert_echoed("FullDuplexCall", &response.metadata, response.message.trailers())
}

fn with_metadata<R>(call: Call<R>) -> Call<R> {
    call.metadata(INITIAL, INITIAL_VALUE).metadata_bin(TRAILING, TRAILING_VALUE)
}

fn assert_echoed(method: &str, initial: &Metadata, trailing: &Metadata) -> Result<(), Failure> {
    expect::equal(&format!("{method}: {INITIAL}"), Some(INITIAL_VALUE), initial.get(INITIAL))?;
    expect::equal(&format!("{method}: {TRAILING}"), Some(&TRAILING_VALUE), trailing.get_bin(TRAILING))
}
