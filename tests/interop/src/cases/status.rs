use polywire::{Code, Status, Streaming};

use super::{Failure, Peer, expect};
use crate::messages::{EchoStatus, Empty, SimpleRequest, StreamingOutputCallRequest};

/// A status comes back whole, of one answer and of a stream of them.
pub(super) async fn code_and_message(peer: &Peer) -> Result<(), Failure> {
    let asked = EchoStatus { code: Code::Unknown.number().into(), message: "test status message".to_owned() };
    let status = unary(peer, asked.clone()).await?;
    expect::equal("the message of UnaryCall's status", asked.message.as_str(), status.message())?;
    let request = StreamingOutputCallRequest {
        response_status: Some(asked.clone()),
        ..StreamingOutputCallRequest::default()
    };
    let outcome = match peer.test.full_duplex_call(Streaming::once(request)).await {
        Ok(mut responses) => responses.message().await,
        Err(status) => Err(status),
    };
    let status = expect::failed("FullDuplexCall", Code::Unknown, outcome)?;
    expect::equal("the message of FullDuplexCall's status", asked.message.as_str(), status.message())
}

/// A message that is neither ASCII nor one line.
pub(super) async fn special_message(peer: &Peer) -> Result<(), Failure> {
    let message = "\t\ntest with whitespace\r\nand Unicode BMP ☺ and non-BMP 😈\t\n";
    let asked = EchoStatus { code: Code::Unknown.number().into(), message: message.to_owned() };
    let status = unary(peer, asked).await?;
    expect::equal("the message", message, status.message())
}

/// A method that the server's service does not have.
pub(super) async fn unimplemented_method(peer: &Peer) -> Result<(), Failure> {
    let outcome = peer.test.unimplemented_call(Empty {}).await;
    expect::failed("UnimplementedCall", Code::Unimplemented, outcome).map(drop)
}

/// A service that the server does not have.
pub(super) async fn unimplemented_service(peer: &Peer) -> Result<(), Failure> {
    let outcome = peer.unimplemented.unimplemented_call(Empty {}).await;
    expect::failed("UnimplementedService/UnimplementedCall", Code::Unimplemented, outcome).map(drop)
}

async fn unary(peer: &Peer, asked: EchoStatus) -> Result<Status, Failure> {
    let request = SimpleRequest { response_status: Some(asked), ..SimpleRequest::default() };
    expect::failed("UnaryCall", Code::Unknown, peer.test.unary_call(request).await)
}
