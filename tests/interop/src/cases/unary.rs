use std::time::SystemTime;

use super::{Failure, LARGE_REQUEST, LARGE_RESPONSE, Peer, expect, zeros};
use crate::messages::{Empty, Payload, SimpleRequest};

/// Messages of no bytes at all.
pub(super) async fn empty(peer: &Peer) -> Result<(), Failure> {
    expect::equal("the answer", Empty {}, peer.test.empty_call(Empty {}).await?)
}

/// Messages beyond what one frame or window holds.
pub(super) async fn large(peer: &Peer) -> Result<(), Failure> {
    let response = peer.test.unary_call(large_request()).await?;
    expect::zeros(LARGE_RESPONSE, response.payload.as_ref())
}

pub(super) fn large_request() -> SimpleRequest {
    SimpleRequest { response_size: LARGE_RESPONSE, payload: zeros(LARGE_REQUEST), ..SimpleRequest::default() }
}

/// The same call twice. No proxy stands between, so that each is answered by the server itself; what a proxy
/// would have to find in the answer is there.
pub(super) async fn cacheable(peer: &Peer) -> Result<(), Failure> {
    let now = SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default().as_nanos();
    let payload = Payload { body: now.to_string().into(), ..Payload::default() };
    let request = SimpleRequest { payload: Some(payload), ..SimpleRequest::default() };
    for _ in 0..2 {
        let call = peer.test.cacheable_unary_call(request.clone()).metadata("x-user-ip", "1.2.3.4");
        let response = call.response().await?;
        let control = response.metadata.get("cache-control").unwrap_or_default();
        expect::equal("`max-age` in cache-control", true, control.contains("max-age=60"))?;
        let body = response.message.payload.unwrap_or_default().body;
        let digits = !body.is_empty() && body.iter().all(u8::is_ascii_digit);
        expect::equal("an answer that tells its time in digits", true, digits)?;
    }
    Ok(())
}
