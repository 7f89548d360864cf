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

/// The trailers that end a call. What does not fit `limit` bytes gives way: first the details, then the
/// metadata, then the message's end, so that the code always arrives. HTTP/2 clients answer larger ones by
/// closing the connection.
pub(super) fn trailers(outcome: Result<&Metadata, &Status>, limit: usize) -> HeaderMap {
    let mut headers = HeaderMap::new();
    match outcome {
        Ok(metadata) if metadata::weight(metadata) <= limit => {
            headers.insert(GRPC_STATUS, HeaderValue::from_static("0"));
            metadata::write(metadata, &mut headers);
        }
        Ok(_) => {
            let refusal = Status::resource_exhausted("the trailing metadata is over the limit");
            write(&refusal, &mut headers, limit);
        }
        Err(status) => write(status, &mut headers, limit),
    }
    headers
}

fn write(status: &Status, headers: &mut HeaderMap, limit: usize) {
    headers.insert(GRPC_STATUS, HeaderValue::from(u16::from(status.code().number())));
    let mut left = limit.saturating_sub(OVERHEAD);
    let message = escape(status.message(), left);
    if let (false, Ok(value)) = (message.is_empty(), HeaderValue::from_str(&message)) {
        headers.insert(GRPC_MESSAGE, value);
        left -= message.len();
    }
    let weight = metadata::weight(status.metadata());
    if weight <= left {
        metadata::write(status.metadata(), headers);
        left -= weight;
    }
    let details = BASE64.encode(status.details());
    if let (true, Ok(details)) =
        (!details.is_empty() && details.len() <= left, HeaderValue::from_str(&details))
    {
        headers.insert(GRPC_STATUS_DETAILS, details);
    }
}

/// What the names of the status' own headers weigh, counted as HTTP/2 counts a header list.
const OVERHEAD: usize = 160;

/// The message as `grpc-message` wants it; as much of it as fits.
fn escape(message: &str, limit: usize) -> String {
    let escaped = utf8_percent_encode(message, ESCAPED).to_string();
    if escaped.len() <= limit {
        return escaped;
    }
    // An escaped byte takes three.
    utf8_percent_encode(&message[..message.floor_char_boundary(limit / 3)], ESCAPED).to_string()
}

/// The code that these trailers end a call with.
pub(super) fn code(trailers: &HeaderMap) -> Code {
    let code = trailers.get(GRPC_STATUS).and_then(|code| code.to_str().ok()?.parse().ok());
    code.map_or(Code::Unknown, Code::from_number)
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
        StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE => Code::ResourceExhausted,
        StatusCode::TOO_MANY_REQUESTS
        | StatusCode::BAD_GATEWAY
        | StatusCode::SERVICE_UNAVAILABLE
        | StatusCode::GATEWAY_TIMEOUT => Code::Unavailable,
        _ => Code::Unknown,
    };
    Status::new(code, format!("the peer answered HTTP {status} and no gRPC status"))
}

/// What a failure of the connection means to a call. One that could not even be made has processed
/// nothing, and neither has a stream that the peer refused (RFC 9113, section 8.7).
pub(super) fn from_connection(error: impl Into<Box<dyn Error + Send + Sync>>) -> Status {
    let error = error.into();
    // tonic's channel keeps the deadline as well, and may notice first.
    if chain(&*error).any(|cause| cause.is::<tonic::TimeoutExpired>()) {
        return deadline::exceeded().with_source(error);
    }
    let not_processed =
        is_untouched(&*error) || chain(&*error).any(|cause| cause.is::<tonic::ConnectError>());
    let of_the_call = chain(&*error).any(|cause| cause.is::<tonic::Status>() || is_reset(cause));
    let reason = chain(&*error).last().map(ToString::to_string).unwrap_or_default();
    let mapped = tonic::Status::from_error(error);
    // What ended neither by a layer's status nor by a reset of the stream broke with its connection, whatever
    // state HTTP/2 was in then.
    let code = match Code::from_number(mapped.code() as u64) {
        code if of_the_call && code != Code::Unknown => code,
        _ => Code::Unavailable,
    };
    let status = Status::new(code, format!("the connection failed: {reason}")).with_source(mapped);
    if not_processed { status.not_processed() } else { status }
}

/// Whether the request certainly reached no handler, on a connection that there was: the peer refused its stream
/// or left it out when it went away, or the connection ended before it was sent.
pub(super) fn is_untouched(error: &(dyn Error + 'static)) -> bool {
    chain(error).any(|cause| is_refused(cause) || is_left_out(cause) || is_unsent(cause))
}

/// A stream fails with the peer's GOAWAY where its id is above the last that the peer says it has looked at (RFC
/// 9113, section 6.8), and a request where it was to be sent behind that. The streams below it go on.
fn is_left_out(cause: &(dyn Error + 'static)) -> bool {
    cause.downcast_ref::<h2::Error>().is_some_and(|error| error.is_go_away() && error.is_remote())
}

/// hyper cancels what waits in its queue when the connection closes; what it has sent fails in other ways.
fn is_unsent(cause: &(dyn Error + 'static)) -> bool {
    cause.downcast_ref::<hyper::Error>().is_some_and(hyper::Error::is_canceled)
}

fn is_reset(cause: &(dyn Error + 'static)) -> bool {
    cause.downcast_ref::<h2::Error>().is_some_and(h2::Error::is_reset)
}

fn is_refused(cause: &(dyn Error + 'static)) -> bool {
    let reset = cause.downcast_ref::<h2::Error>().filter(|error| error.is_reset() && error.is_remote());
    reset.and_then(h2::Error::reason) == Some(h2::Reason::REFUSED_STREAM)
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
        let read = read(&trailers(Err(&status), 1 << 14)).unwrap().unwrap_err();
        assert_eq!(read.code(), status.code());
        assert_eq!(read.message(), status.message());
        assert_eq!(read.details(), status.details());
        assert_eq!(read.metadata(), status.metadata());
    }

    #[test]
    fn what_is_too_much_for_the_trailers_gives_way_to_the_code() {
        let status = Status::aborted("\u{e4}".repeat(9000)).with_details(vec![0; 50_000]);
        let headers = trailers(Err(&status), 16 << 10);
        let size: usize = headers.iter().map(|(name, value)| name.as_str().len() + value.len() + 32).sum();
        assert!(size <= 16 << 10, "{size}");
        let read = read(&headers).unwrap().unwrap_err();
        assert_eq!(read.code(), Code::Aborted);
        assert!(status.message().starts_with(read.message()) && !read.message().is_empty());
    }
}
