//! HTTP/2 without any gRPC: to send what no gRPC client would, and to see what no gRPC client shows.

use bytes::Bytes;
use http::{HeaderMap, Method, Request};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http2::{SendRequest, handshake};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpStream;

use crate::patience::within;

/// One connection.
#[derive(Clone, Debug)]
pub struct Http2 {
    send: SendRequest<Full<Bytes>>,
    authority: String,
}

/// A whole answer.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// The fields before the body.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
    /// The fields behind the body.
    pub trailers: HeaderMap,
}

impl Http2 {
    /// Connects to `host:port`.
    ///
    /// # Panics
    /// When nothing listens there.
    pub async fn connect(address: &str) -> Self {
        let stream = TcpStream::connect(address).await.expect("a server that listens");
        let (send, connection) = handshake(TokioExecutor::new(), TokioIo::new(stream)).await.expect("HTTP/2");
        tokio::spawn(connection);
        Self { send, authority: address.to_owned() }
    }

    /// Sends a request with these fields and this body, and reads the whole answer.
    ///
    /// # Panics
    /// When there is none.
    pub async fn request(&self, method: Method, path: &str, fields: &[(&str, &str)], body: Bytes) -> Answer {
        let mut request = Request::builder().method(method).uri(format!("http://{}{path}", self.authority));
        for (name, value) in fields {
            request = request.header(*name, *value);
        }
        let request = request.body(Full::new(body)).expect("a request");
        let answer = within(self.send.clone().send_request(request)).await.expect("an answer");
        let (parts, body) = answer.into_parts();
        let body = within(body.collect()).await.expect("a body");
        Answer {
            status: parts.status.as_u16(),
            headers: parts.headers,
            trailers: body.trailers().cloned().unwrap_or_default(),
            body: body.to_bytes(),
        }
    }

    /// A gRPC call of one message in protobuf, with these fields beside.
    pub async fn call(&self, path: &str, fields: &[(&str, &str)], message: &impl prost::Message) -> Answer {
        let message = message.encode_to_vec();
        let length = u32::try_from(message.len()).expect("a small message").to_be_bytes();
        let body = [&[0], length.as_slice(), &message].concat();
        let mut all = vec![("content-type", "application/grpc"), ("te", "trailers")];
        all.extend(fields);
        self.request(Method::POST, path, &all, body.into()).await
    }
}

impl Answer {
    /// The gRPC status, wherever it stands.
    ///
    /// # Panics
    /// When there is none.
    #[track_caller]
    pub fn grpc_status(&self) -> u8 {
        let status = self.trailers.get("grpc-status").or_else(|| self.headers.get("grpc-status"));
        let status = status.and_then(|status| status.to_str().ok()).and_then(|status| status.parse().ok());
        status.unwrap_or_else(|| panic!("no grpc-status in {self:?}"))
    }
}
