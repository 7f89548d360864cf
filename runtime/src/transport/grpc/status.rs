use std::error::Error;

use base64::Engine;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use percent_encoding::{AsciiSet, CONTROLS, percent_decode, utf8_percent_encode};

use super::metadata::{self, BASE64};
use crate::{Code, Metadata, Status, deadline};

pub(super) const GRPC_STATUS: HeaderName = HeaderName::from_static("grpc-status");
const GRPC_MESSAGE: HeaderName = HeaderName::from_static("grpc-message");
const GRPC_STATUS_DETAILS: HeaderName = HeaderName::from_static("grpc-status-details-bin");

/// What `grpc-message` escapes: everything but printable ASCII, and the percent sign itself.
const ESCAPED: &AsciiSet = &CONTROLS.add(b'%');

/// The trailers that end a call.
pub(super) fn trailers(outcome: Result<&Metadata, &Status>) -> HeaderMap {
    let mut headers = HeaderMap::new();
    match outcome {
        Ok(metadata) => {
            headers.insert(GRPC_STATUS, HeaderValue::from_static("0"));
            metadata::write(metadata, &mut headers);
        }
        Err(status) => write(status, &mut headers),
    }
    headers
}

fn write(status: &Status, headers: &mut HeaderMap) {
    headers.insert(GRPC_STATUS, HeaderValue::from(u16::from(status.code().number())));
    let message = utf8_percent_encode(status.message(), ESCAPED).to_string();
    if let (false, Ok(message)) = (message.is_empty(), HeaderValue::from_str(&message)) {
        headers.insert(GRPC_MESSAGE, message);
    }
    if let (false, Ok(details)) =
        (status.details().is_empty(), HeaderValue::from_str(&BASE64.encode(status.details())))
    {
        headers.insert(GRPC_STATUS_DETAILS, details);
    }
    metadata::write(status.metadata(), headers);
}

/// How the call ended, if these headers end it: the trailing metadata of a success, or a failure's status.
pub(super) fn read(headers: &HeaderMap) -> Option<Result<Metadata, Status>> {
    let code = headers.get(GRPC_STATUS)?;
    let code = code.to_str().ok().and_then(|text| text.parse().ok()).map_or(Code::Unknown, Code::from_number);
    let metadata = match metadata::read(headers) {
        Ok(metadata) => metadata,
        Err(status) => return Some(Err(status)),
    };
    if code == Code::Ok {
        return Some(Ok(metadata));
    }
    let text = |name| headers.get(name).map(HeaderValue::as_bytes).unwrap_or_default();
    let message = percent_decode(text(GRPC_MESSAGE)).decode_utf8_lossy().into_owned();
    let details = BASE64.decode(text(GRPC_STATUS_DETAILS)).unwrap_or_default();
    Some(Err(Status::new(code, message).with_details(details).with_metadata(metadata)))
}

/// What an HTTP status says of a call where there is no gRPC status. Source:
/// [HTTP to gRPC status code mapping](https://github.com/grpc/grpc/blob/master/doc/http-grpc-status-mapping.md).
pub(super) fn from_http(status: StatusCode) -> Status {
    let code = match status {
        StatusCode::BAD_REQUEST => Code::Internal,
        StatusCode::UNAUTHORIZED => Code::Unauthenticated,
        StatusCode::FORBIDDEN => Code::PermissionDenied,
        StatusCode::NOT_FOUND => Code::Unimplemented,
        StatusCode::TOO_MANY_REQUESTS
        | StatusCode::BAD_GATEWAY
        | StatusCode::SERVICE_UNAVAILABLE
        | StatusCode::GATEWAY_TIMEOUT => Code::Unavailable,
        _ => Code::Unknown,
    };
    Status::new(code, format!("the peer answered HTTP {status} and no gRPC status"))
}

/// What a failure of the connection means to a call. One that could not even be made has processed
/// nothing.
pub(super) fn from_connection(error: impl Into<Box<dyn Error + Send + Sync>>) -> Status {
    let error = error.into();
    // tonic's channel keeps the deadline as well, and may notice first.
    if chain(&*error).any(|cause| cause.is::<tonic::TimeoutExpired>()) {
        return deadline::exceeded().with_source(error);
    }
    let not_connected = chain(&*error).any(|cause| cause.is::<tonic::ConnectError>());
    let reason = chain(&*error).last().map(ToString::to_string).unwrap_or_default();
    let mapped = tonic::Status::from_error(error);
    let code = match Code::from_number(mapped.code() as u64) {
        // What is neither HTTP/2's nor a connect error is a broken connection.
        Code::Unknown => Code::Unavailable,
        code => code,
    };
    let status = Status::new(code, format!("the connection failed: {reason}")).with_source(mapped);
    if not_connected { status.not_processed() } else { status }
}

fn chain<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |error| (*error).source())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_survives_its_headers() {
        let mut metadata = Metadata::new();
        metadata.insert("retry", "later").unwrap();
        metadata.insert_bin("x-bin", vec![0, 255]).unwrap();
        let status =
            Status::aborted("50 % \t of \u{1f980}\n").with_details(vec![1, 2, 3]).with_metadata(metadata);
        let read = read(&trailers(Err(&status))).unwrap().unwrap_err();
        assert_eq!(read.code(), status.code());
        assert_eq!(read.message(), status.message());
        assert_eq!(read.details(), status.details());
        assert_eq!(read.metadata(), status.metadata());
    }
}
