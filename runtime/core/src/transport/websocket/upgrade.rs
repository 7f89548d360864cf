use std::time::SystemTime;

use bytes::BytesMut;
use http::{
    HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode, Version,
    header::{
        ALLOW, CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, DATE, ORIGIN, SEC_WEBSOCKET_ACCEPT,
        SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_PROTOCOL, SEC_WEBSOCKET_VERSION, UPGRADE,
    },
};
use tokio::io::AsyncWriteExt as _;
use tokio_tungstenite::{WebSocketStream, tungstenite::protocol::Role};

use super::{
    Origin, SUBPROTOCOL, accept_key,
    head::{self, HeadError},
    pipe::{self, Io, PARTING},
};
use crate::Status;

/// The version of the WebSocket protocol, RFC 6455's.
const VERSION: HeaderValue = HeaderValue::from_static("13");

/// The requests that get a WebSocket.
pub(super) struct Gate {
    pub(super) path: String,
    pub(super) allowed_origins: Vec<Origin>,
}

impl Gate {
    /// Answers one request, and gives the WebSocket that it has become.
    pub(super) async fn upgrade<T: Io>(&self, mut io: T) -> Result<WebSocketStream<T>, Status> {
        let (checked, is_head, early) = match head::read(&mut io, head::request).await {
            Ok((request, early)) => (self.check(&request), request.method() == Method::HEAD, early),
            Err(error) => (Err(unreadable(error)?), false, BytesMut::new()),
        };
        let answer = checked.as_ref().map_or_else(Refusal::answer, |key| accept(key));
        let answered = async {
            io.write_all(&encode(&answer, is_head)).await?;
            io.flush().await
        };
        let answered = answered.await.map_err(|error| Status::unavailable(error.to_string()));
        match checked {
            Ok(_) => {
                answered?;
                let limits = Some(pipe::limits());
                Ok(WebSocketStream::from_partially_read(io, early.to_vec(), Role::Server, limits).await)
            }
            // One connection, one request.
            Err(refusal) => {
                part(io).await;
                Err(Status::invalid_argument(format!("refused with {}: {}", refusal.status, refusal.why)))
            }
        }
    }

    /// The key of a request that may have a WebSocket.
    fn check<B>(&self, request: &Request<B>) -> Result<String, Refusal> {
        let headers = request.headers();
        if request.uri().path() != self.path {
            return Err(Refusal::new(StatusCode::NOT_FOUND, "there is nothing on this path"));
        }
        if request.method() != Method::GET {
            let refusal = Refusal::new(StatusCode::METHOD_NOT_ALLOWED, "a WebSocket is opened with GET");
            return Err(refusal.with(ALLOW, HeaderValue::from_static("GET")));
        }
        let asks = has_token(headers, &CONNECTION, "upgrade") && has_token(headers, &UPGRADE, "websocket");
        if !asks || request.version() != Version::HTTP_11 {
            let refusal = Refusal::new(StatusCode::UPGRADE_REQUIRED, "here is a WebSocket and nothing else");
            return Err(refusal.with(UPGRADE, HeaderValue::from_static("websocket")));
        }
        if headers.get(SEC_WEBSOCKET_VERSION) != Some(&VERSION) {
            let refusal = Refusal::new(StatusCode::UPGRADE_REQUIRED, "the version of WebSockets here is 13");
            return Err(refusal.with(SEC_WEBSOCKET_VERSION, VERSION));
        }
        let listed = |origin: &HeaderValue| self.allowed_origins.iter().any(|one| one.as_str() == origin);
        if !headers.get_all(ORIGIN).iter().all(listed) {
            let why = "the origin of this page is not among transport.websocket.allowed_origins";
            return Err(Refusal::new(StatusCode::FORBIDDEN, why));
        }
        if !has_token(headers, &SEC_WEBSOCKET_PROTOCOL, SUBPROTOCOL) {
            let why = "expected the subprotocol polywire.mux.1 in Sec-WebSocket-Protocol";
            return Err(Refusal::new(StatusCode::BAD_REQUEST, why));
        }
        let key = headers.get(SEC_WEBSOCKET_KEY).and_then(|key| key.to_str().ok());
        let key = key.filter(|key| accept_key::is_key(key));
        let why = "expected 16 bytes of Base64 in Sec-WebSocket-Key";
        key.map(str::to_owned).ok_or_else(|| Refusal::new(StatusCode::BAD_REQUEST, why))
    }
}

/// The refusal of a request whose head cannot be read, where the client is still there to be told.
fn unreadable(error: HeadError) -> Result<Refusal, Status> {
    match error {
        HeadError::Nothing => Err(Status::cancelled("nothing was asked")),
        HeadError::Broken(error) => Err(Status::invalid_argument(error.to_string())),
        HeadError::Malformed(_) => {
            Ok(Refusal::new(StatusCode::BAD_REQUEST, "expected a request of HTTP/1.1"))
        }
        HeadError::TooLarge => {
            let why = "the head of the request is over 16 KiB or a hundred fields";
            Ok(Refusal::new(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, why))
        }
    }
}

/// The answer as HTTP/1.1; without its body where the request was for the head.
fn encode(answer: &Response<String>, is_head: bool) -> Vec<u8> {
    let mut bytes = format!("HTTP/1.1 {}\r\n", answer.status()).into_bytes();
    for (name, value) in answer.headers() {
        bytes.extend([name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"].concat());
    }
    bytes.extend_from_slice(b"\r\n");
    if !is_head {
        bytes.extend_from_slice(answer.body().as_bytes());
    }
    bytes
}

/// Hangs up, and throws away what the client still sends until it has hung up too, for a second at most: a socket
/// that is closed with bytes unread may take back the answer.
async fn part(mut io: impl Io) {
    let parting = async {
        io.shutdown().await?;
        tokio::io::copy(&mut io, &mut tokio::io::sink()).await
    };
    // An error says that the client is gone.
    let _ = tokio::time::timeout(PARTING, parting).await;
}

/// Whether one of the header's values, which are lists, has this element, whatever its case.
pub(super) fn has_token(headers: &HeaderMap, name: &HeaderName, token: &str) -> bool {
    let values = headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).any(|element| element.trim().eq_ignore_ascii_case(token))
}

/// Hands over, with the proof that this is the answer to that request.
fn accept(key: &str) -> Response<String> {
    let mut answer = Response::new(String::new());
    *answer.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let headers = answer.headers_mut();
    headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
    headers.insert(SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(SUBPROTOCOL));
    if let Ok(proof) = HeaderValue::try_from(accept_key::answer(key)) {
        headers.insert(SEC_WEBSOCKET_ACCEPT, proof);
    }
    answer
}

/// Why a request gets no WebSocket.
struct Refusal {
    status: StatusCode,
    why: &'static str,
    header: Option<(HeaderName, HeaderValue)>,
}

impl Refusal {
    fn new(status: StatusCode, why: &'static str) -> Self {
        Self { status, why, header: None }
    }

    fn with(self, name: HeaderName, value: HeaderValue) -> Self {
        Self { header: Some((name, value)), ..self }
    }

    fn answer(&self) -> Response<String> {
        let body = format!("{}\n", self.why);
        let length = HeaderValue::from(body.len());
        let mut answer = Response::new(body);
        *answer.status_mut() = self.status;
        let headers = answer.headers_mut();
        // A refusal has to say when it was made (RFC 9110, section 6.6.1).
        if let Ok(now) = HeaderValue::try_from(httpdate::fmt_http_date(SystemTime::now())) {
            headers.insert(DATE, now);
        }
        headers.insert(CONTENT_LENGTH, length);
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
        headers.insert(CONNECTION, HeaderValue::from_static("close"));
        headers.extend(self.header.clone());
        answer
    }
}
