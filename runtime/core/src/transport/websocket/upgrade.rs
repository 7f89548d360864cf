use std::{
    convert::Infallible,
    future::{poll_fn, ready},
    sync::OnceLock,
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use http::{
    HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode, Version,
    header::{
        ALLOW, CONNECTION, CONTENT_TYPE, ORIGIN, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY,
        SEC_WEBSOCKET_PROTOCOL, SEC_WEBSOCKET_VERSION, UPGRADE,
    },
};
use hyper::{server::conn::http1::Builder, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::io::AsyncWriteExt as _;
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{handshake::derive_accept_key, protocol::Role},
};

use super::{
    Origin, SUBPROTOCOL,
    pipe::{self, Io, PARTING},
};
use crate::Status;

/// How long the head of a request may be, in bytes: the longest that common servers take, and browsers send
/// cookies.
const MAX_HEAD: usize = 16 << 10;

/// The version of the WebSocket protocol, RFC 6455's.
const VERSION: HeaderValue = HeaderValue::from_static("13");

/// The requests that get a WebSocket.
pub(super) struct Gate {
    pub(super) path: String,
    pub(super) allowed_origins: Vec<Origin>,
}

impl Gate {
    /// Answers one request, and gives the WebSocket that it has become.
    pub(super) async fn upgrade<T: Io>(&self, io: T) -> Result<WebSocketStream<T>, Status> {
        let verdict = OnceLock::new();
        let answer = service_fn(|request: Request<_>| {
            let checked = self.check(&request);
            let answer = checked.as_ref().map_or_else(Refusal::answer, |key| accept(key));
            // One connection, one request: a refusal closes it.
            let _ = verdict.set(checked);
            ready(Ok::<_, Infallible>(answer))
        });
        let mut serving = Builder::new().max_buf_size(MAX_HEAD).serve_connection(TokioIo::new(io), answer);
        let served = poll_fn(|cx| serving.poll_without_shutdown(cx)).await;
        let parts = serving.into_parts();
        let (io, early) = (parts.io.into_inner(), parts.read_buf);
        match verdict.into_inner() {
            Some(Ok(_)) => {
                let limits = Some(pipe::limits());
                Ok(WebSocketStream::from_partially_read(io, early.to_vec(), Role::Server, limits).await)
            }
            Some(Err(refusal)) => {
                part(io).await;
                Err(Status::invalid_argument(format!("refused with {}: {}", refusal.status, refusal.why)))
            }
            None => {
                part(io).await;
                Err(match served {
                    Err(error) => Status::invalid_argument(error.to_string()),
                    Ok(_) => Status::cancelled("nothing was asked"),
                })
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
        let key = key.filter(|key| STANDARD.decode(key).is_ok_and(|bytes| bytes.len() == 16));
        let why = "expected 16 bytes of Base64 in Sec-WebSocket-Key";
        key.map(str::to_owned).ok_or_else(|| Refusal::new(StatusCode::BAD_REQUEST, why))
    }
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
fn has_token(headers: &HeaderMap, name: &HeaderName, token: &str) -> bool {
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
    if let Ok(proof) = HeaderValue::try_from(derive_accept_key(key.as_bytes())) {
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
        let mut answer = Response::new(format!("{}\n", self.why));
        *answer.status_mut() = self.status;
        let headers = answer.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
        headers.insert(CONNECTION, HeaderValue::from_static("close"));
        headers.extend(self.header.clone());
        answer
    }
}
