use bytes::BytesMut;
use http::{
    HeaderMap, Response, StatusCode,
    header::{
        CONNECTION, CONTENT_LENGTH, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_EXTENSIONS, SEC_WEBSOCKET_PROTOCOL,
        UPGRADE,
    },
    uri::{Authority, PathAndQuery},
};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio_tungstenite::{WebSocketStream, tungstenite::protocol::Role};

use super::{
    Address, SUBPROTOCOL, accept_key,
    dial::unreachable,
    head,
    pipe::{self, Io},
    upgrade::has_token,
};
use crate::Status;

/// How much of what a server says of its refusal is told, in bytes.
const WORDS: usize = 256;

/// Asks the server for a WebSocket over this connection
/// ([RFC 6455, section 4.1](https://www.rfc-editor.org/rfc/rfc6455#section-4.1)).
pub(super) async fn shake<T: Io>(address: &Address, mut io: T) -> Result<WebSocketStream<T>, Status> {
    let key = accept_key::new();
    let asked = async {
        io.write_all(request(address, &key).as_bytes()).await?;
        io.flush().await
    };
    asked.await.map_err(|error| unreachable(address, &error))?;
    let read = head::read(&mut io, head::response).await;
    let (answer, early) = read.map_err(|error| unreachable(address, &error))?;
    if answer.status() != StatusCode::SWITCHING_PROTOCOLS {
        let words = words(&mut io, &answer, early).await;
        return Err(refused(address, answer.status(), &words));
    }
    check(answer.headers(), &key).map_err(|problem| unreachable(address, &problem))?;
    let limits = Some(pipe::limits());
    Ok(WebSocketStream::from_partially_read(io, early.to_vec(), Role::Client, limits).await)
}

fn request(address: &Address, key: &str) -> String {
    let uri = address.uri();
    let path = uri.path_and_query().map_or("/", PathAndQuery::as_str);
    let host = uri.authority().map_or("", Authority::as_str);
    format!(
        "GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n\
         Sec-WebSocket-Protocol: {SUBPROTOCOL}\r\n\r\n"
    )
}

/// What is wrong with the answer to this key.
fn check(headers: &HeaderMap, key: &str) -> Result<(), String> {
    let switches = has_token(headers, &CONNECTION, "upgrade") && has_token(headers, &UPGRADE, "websocket");
    let is = |name, value: &str| headers.get(name).is_some_and(|found| found == value);
    if !switches {
        return Err("the server switches to another protocol; expected websocket".to_owned());
    }
    if !is(SEC_WEBSOCKET_ACCEPT, &accept_key::answer(key)) {
        return Err("Sec-WebSocket-Accept is not the answer to the key that was sent".to_owned());
    }
    if !is(SEC_WEBSOCKET_PROTOCOL, SUBPROTOCOL) {
        return Err(format!("the server did not take the subprotocol {SUBPROTOCOL}"));
    }
    match headers.get(SEC_WEBSOCKET_EXTENSIONS) {
        Some(extensions) => Err(format!("the server uses the extensions {extensions:?}; expected none")),
        None => Ok(()),
    }
}

/// What the server says of its refusal: as much as has come, and what is still to come of it where it says how long it is.
async fn words(io: &mut impl Io, answer: &Response<()>, mut arrived: BytesMut) -> String {
    let length = answer.headers().get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
    while arrived.len() < length.unwrap_or(0).min(WORDS) {
        // Without the rest it has said what it has said.
        if !matches!(io.read_buf(&mut arrived).await, Ok(1..)) {
            break;
        }
    }
    arrived.truncate(length.unwrap_or(WORDS).min(WORDS));
    String::from_utf8_lossy(&arrived).trim().to_owned()
}

/// An answer other than a WebSocket, with what it says of itself.
fn refused(address: &Address, status: StatusCode, words: &str) -> Status {
    let message = format!("{address}: the server answered {status}: {words}");
    match status {
        StatusCode::UNAUTHORIZED => Status::unauthenticated(message),
        StatusCode::FORBIDDEN => Status::permission_denied(message),
        _ => Status::unavailable(message),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The failure where the server answers so, once it has read the request.
    async fn answered(answer: impl FnOnce(&str) -> String) -> Status {
        let (client, mut server) = tokio::io::duplex(4 << 10);
        let address = Address::parse("shop.example/calls?a=b", false).unwrap();
        let shaking = shake(&address, client);
        let serving = async {
            let (request, _) = head::read(&mut server, head::request).await.unwrap();
            assert_eq!(request.uri(), "/calls?a=b");
            assert_eq!(request.headers()["host"], "shop.example");
            let key = request.headers()["sec-websocket-key"].to_str().unwrap();
            server.write_all(answer(key).as_bytes()).await.unwrap();
            drop(server);
        };
        tokio::join!(shaking, serving).0.map(drop).expect_err("no WebSocket")
    }

    const SWITCHES: &str =
        "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n";

    #[tokio::test]
    async fn an_answer_that_is_no_websocket_of_ours_says_what_is_wrong() {
        type Answer = fn(&str) -> String;
        let cases: [(Answer, &str); 7] = [
            (|_| "HTTP/1.1 404 Not Found\r\nContent-Length: 4\r\n\r\nwhy\n".to_owned(), "404 Not Found: why"),
            (|_| "SSH-2.0-server\r\n".to_owned(), "malformed head"),
            (|_| String::new(), "ended before"),
            (|_| "HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\n\r\n".to_owned(), "another protocol"),
            (|_| format!("{SWITCHES}Sec-WebSocket-Accept: AAAA\r\n\r\n"), "Sec-WebSocket-Accept"),
            (
                |key| format!("{SWITCHES}Sec-WebSocket-Accept: {}\r\n\r\n", accept_key::answer(key)),
                "did not take the subprotocol polywire.mux.1",
            ),
            (
                |key| {
                    let proof = accept_key::answer(key);
                    let agreed =
                        format!("Sec-WebSocket-Accept: {proof}\r\nSec-WebSocket-Protocol: {SUBPROTOCOL}");
                    format!("{SWITCHES}{agreed}\r\nSec-WebSocket-Extensions: permessage-deflate\r\n\r\n")
                },
                "extensions \"permessage-deflate\"",
            ),
        ];
        for (answer, expected) in cases {
            let status = answered(answer).await;
            assert!(status.message().contains(expected), "{status}");
            assert!(status.message().starts_with("ws://shop.example/calls?a=b: "), "{status}");
        }
        let denied = answered(|_| "HTTP/1.1 403 Forbidden\r\n\r\n".to_owned()).await;
        assert_eq!(denied.code(), crate::Code::PermissionDenied);
    }
}
