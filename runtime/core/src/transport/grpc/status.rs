use std::error::Error;

use base64::Engine;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use percent_encoding::{AsciiSet, CONTROLS, percent_decode, utf8_percent_encode};

use super::metadata::{self, BASE64};
use crate::{
    Code, Metadata, Status, deadline,
    metadata::{MAX_METADATA, NOT_PROCESSED},
    status::{Fitted, Scale},
    truncated,
};

pub(super) const GRPC_STATUS: HeaderName = HeaderName::from_static("grpc-status");
const GRPC_MESSAGE: HeaderName = HeaderName::from_static("grpc-message");
const GRPC_STATUS_DETAILS: HeaderName = HeaderName::from_static("grpc-status-details-bin");

const MARK: HeaderName = HeaderName::from_static(NOT_PROCESSED);
const ANNOUNCEMENT: HeaderName = HeaderName::from_static(MAX_METADATA);

/// What `grpc-message` escapes: everything but printable ASCII, and the percent sign itself.
const ESCAPED: &AsciiSet = &CONTROLS.add(b'%');

/// How much metadata every peer takes in one list of headers: 8 KiB is what gRPC advises
/// ([PROTOCOL-HTTP2](https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md#requests)), and grpcio refuses by
/// chance what weighs more, less the fields of HTTP and gRPC themselves, of which there are no more than these.
const ADVISED: usize = (8 << 10) - 512;

/// How much metadata may be in one list of the headers of an answer, by the limit that is kept here and what the caller
/// says that it takes.
pub(super) fn room(limit: usize, request: &HeaderMap) -> usize {
    let announced = request.get(ANNOUNCEMENT).and_then(|value| value.to_str().ok()?.parse().ok());
    announced.unwrap_or(ADVISED).min(limit)
}

/// Says how much metadata this side takes, where it is more than every peer does.
pub(super) fn announce(limit: usize, headers: &mut HeaderMap) {
    if limit > ADVISED {
        headers.insert(ANNOUNCEMENT, HeaderValue::from(limit));
    }
}

/// The trailers that end a call. Of a failure that does not fit into `room` bytes, the message's end gives way first,
/// then the details, then the metadata, so that the code always arrives: clients refuse larger ones.
pub(super) fn trailers(outcome: Result<&Metadata, &Status>, room: usize) -> HeaderMap {
    let mut headers = HeaderMap::new();
    match outcome {
        Ok(metadata) if metadata::weight(metadata) <= room => {
            headers.insert(GRPC_STATUS, HeaderValue::from_static("0"));
            metadata::write(metadata, &mut headers);
        }
        Ok(_) => {
            let refusal = Status::resource_exhausted("the trailing metadata is over the limit");
            write(&refusal, &mut headers, room);
        }
        Err(status) => write(status, &mut headers, room),
    }
    headers
}

/// The headers that end a call before it is answered. They alone say that no handler saw it.
pub(super) fn refusal(status: &Status, room: usize) -> HeaderMap {
    let mut headers = trailers(Err(status), room);
    if status.is_not_processed() {
        mark(&mut headers);
    }
    headers
}

/// Says that no handler saw the call.
pub(super) fn mark(headers: &mut HeaderMap) {
    headers.insert(MARK, HeaderValue::from_static("1"));
}

/// The status of a call that these headers ended, before it was answered.
pub(super) fn as_said(status: Status, headers: &HeaderMap) -> Status {
    if headers.contains_key(MARK) { status.not_processed() } else { status }
}

fn write(status: &Status, headers: &mut HeaderMap, room: usize) {
    headers.insert(GRPC_STATUS, HeaderValue::from(u16::from(status.code().number())));
    let Fitted { message, details, metadata } = status.fitted(room.saturating_sub(OVERHEAD), &SCALE);
    let mut escaped = escape(&message);
    if escaped.len() > (SCALE.message)(&message) + SPACES {
        escaped = escape(message.trim_matches(' '));
    }
    if let (false, Ok(value)) = (escaped.is_empty(), HeaderValue::from_str(&escaped)) {
        headers.insert(GRPC_MESSAGE, value);
    }
    if let Some(metadata) = metadata {
        metadata::write(metadata, headers);
    }
    if let (false, Ok(value)) = (details.is_empty(), HeaderValue::from_str(&BASE64.encode(details))) {
        headers.insert(GRPC_STATUS_DETAILS, value);
    }
}

/// What the names of the status' own headers weigh, counted as HTTP/2 counts a header list.
const OVERHEAD: usize = 160;

/// How much longer the spaces at the ends of a message may make it. Of more than 32 none is kept.
const SPACES: usize = 64;

const SCALE: Scale = Scale {
    // An escaped byte takes three.
    message: |part| utf8_percent_encode(part, ESCAPED).map(str::len).sum(),
    details: |length| length.div_ceil(3) * 4,
    metadata: metadata::weight,
};

/// The message as `grpc-message` wants it. HTTP does not keep the spaces at the ends of a value, so these are escaped
/// too.
fn escape(message: &str) -> String {
    let inner = message.trim_matches(' ');
    let before = message.len() - message.trim_start_matches(' ').len();
    let behind = message.len() - before - inner.len();
    let (before, behind) = ("%20".repeat(before), "%20".repeat(behind));
    format!("{before}{}{behind}", utf8_percent_encode(inner, ESCAPED))
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
        untouched(&*error).is_some() || chain(&*error).any(|cause| cause.is::<tonic::ConnectError>());
    let of_the_call = chain(&*error).any(|cause| cause.is::<tonic::Status>() || is_reset(cause));
    let reason = chain(&*error).last().map(|cause| truncated::reason(&cause)).unwrap_or_default();
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

/// Why a request certainly reached no handler, on a connection that there was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Untouched {
    /// The connection ended before it was sent.
    Unsent,
    /// The peer refused its stream, or left it out when it went away.
    Refused,
}

/// Why the request of this error certainly reached no handler, where it did not.
pub(super) fn untouched(error: &(dyn Error + 'static)) -> Option<Untouched> {
    let because = |is: fn(&(dyn Error + 'static)) -> bool, why| chain(error).any(is).then_some(why);
    because(is_unsent, Untouched::Unsent)
        .or_else(|| because(|cause| is_refused(cause) || is_left_out(cause), Untouched::Refused))
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

/// Whether a server says by this that it is asked for pings too often, or for anything else. Source:
/// [gRFC A8](https://github.com/grpc/proposal/blob/master/A8-client-side-keepalive.md#throttling).
pub(super) fn asks_for_calm(error: &(dyn Error + 'static)) -> bool {
    chain(error).any(|cause| {
        let error = cause.downcast_ref::<h2::Error>().filter(|error| error.is_remote());
        error.and_then(h2::Error::reason) == Some(h2::Reason::ENHANCE_YOUR_CALM)
    })
}

/// Whether these trailers are those of a call that grpcio ended because of pings.
pub(super) fn complains_of_pings(trailers: &HeaderMap) -> bool {
    let message = trailers.get(GRPC_MESSAGE).map(HeaderValue::as_bytes).unwrap_or_default();
    message.eq_ignore_ascii_case(b"too many pings")
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
    fn spaces_at_the_ends_of_a_message_survive() {
        for (message, escaped) in
            [("oops ", "oops%20"), ("  a  b ", "%20%20a  b%20"), ("  ", "%20%20"), ("a%", "a%25")]
        {
            let headers = trailers(Err(&Status::aborted(message)), 1 << 14);
            assert_eq!(headers[GRPC_MESSAGE], escaped);
            assert_eq!(read(&headers).unwrap().unwrap_err().message(), message);
        }
    }

    #[test]
    fn no_message_is_too_much_for_its_room() {
        let padded = format!("{}x", " ".repeat(1_000));
        for letter in [" ", "\u{e4}", "a", "%", "\n", padded.as_str()] {
            let status = Status::aborted(letter.repeat(9_500)).with_details(vec![0; 3_000]).not_processed();
            let headers = refusal(&status, ADVISED);
            let weight: usize =
                headers.iter().map(|(name, value)| name.as_str().len() + value.len() + 32).sum();
            assert!(weight <= ADVISED + 64, "{letter:?}: {weight}");
            assert_eq!(headers[GRPC_STATUS], "10");
        }
    }

    #[test]
    fn a_caller_gets_what_it_takes_and_no_more_than_is_allowed_here() {
        let mut request = HeaderMap::new();
        assert_eq!(room(16 << 10, &request), ADVISED);
        assert_eq!(room(1_000, &request), 1_000);
        announce(12_000, &mut request);
        assert_eq!((room(16 << 10, &request), room(8_000, &request)), (12_000, 8_000));
        request.insert(ANNOUNCEMENT, HeaderValue::from_static("much"));
        assert_eq!(room(16 << 10, &request), ADVISED);
        let mut modest = HeaderMap::new();
        announce(ADVISED, &mut modest);
        assert!(modest.is_empty());
    }

    #[test]
    fn what_is_too_much_for_the_trailers_gives_way_to_the_code() {
        let status = Status::aborted("\u{e4}".repeat(9000)).with_details(vec![0; 50_000]);
        let headers = trailers(Err(&status), 16 << 10);
        let size: usize = headers.iter().map(|(name, value)| name.as_str().len() + value.len() + 32).sum();
        assert!(size <= 16 << 10, "{size}");
        let read = read(&headers).unwrap().unwrap_err();
        assert_eq!(read.code(), Code::Aborted);
        assert!(read.message().starts_with("\u{e4}\u{e4}"));
        assert!(
            read.message().ends_with("\u{2026} [left out: 50000 bytes of details]"),
            "{}",
            read.message()
        );
    }
}
