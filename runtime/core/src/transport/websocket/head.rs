use std::{fmt, io};

use bytes::BytesMut;
use http::{HeaderName, HeaderValue, Method, Request, Response, StatusCode, Uri, Version};
use httparse::{EMPTY_HEADER, Header, Status};
use tokio::io::AsyncReadExt as _;

use super::pipe::Io;

/// How long the head of a message may be, in bytes: the longest that common servers take, and browsers send cookies.
const LONGEST: usize = 16 << 10;

/// How many fields a head may have, as hyper has it.
const MOST_FIELDS: usize = 100;

/// Why there is no head of HTTP/1.1.
#[derive(Debug)]
pub(super) enum HeadError {
    /// The peer went before it had said anything.
    Nothing,
    /// The head is not well-formed, for this reason.
    Malformed(String),
    /// The head is longer than 16 KiB, or has more than a hundred fields.
    TooLarge,
    /// The connection broke or ended half way.
    Broken(io::Error),
}

impl fmt::Display for HeadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nothing => f.write_str("the connection ended before the peer said anything"),
            Self::Malformed(reason) => write!(f, "malformed head of an HTTP/1.1 message: {reason}"),
            Self::TooLarge => {
                write!(f, "the head of the message is over {LONGEST} bytes or {MOST_FIELDS} fields")
            }
            Self::Broken(error) => write!(f, "the connection broke: {error}"),
        }
    }
}

/// A head, as far as the bytes have it, and how many bytes it has.
type Parsed<H> = Result<Option<(H, usize)>, HeadError>;

/// Reads a head with this parser, and returns it with what has come behind it.
pub(super) async fn read<H>(
    io: &mut impl Io,
    parse: fn(&[u8]) -> Parsed<H>,
) -> Result<(H, BytesMut), HeadError> {
    let mut arrived = BytesMut::with_capacity(1 << 10);
    loop {
        match io.read_buf(&mut arrived).await {
            Ok(0) if arrived.is_empty() => return Err(HeadError::Nothing),
            Ok(0) => return Err(HeadError::Broken(io::ErrorKind::UnexpectedEof.into())),
            Ok(_) => {}
            Err(error) => return Err(HeadError::Broken(error)),
        }
        if let Some((head, length)) = parse(&arrived)? {
            return Ok((head, arrived.split_off(length)));
        }
        if arrived.len() > LONGEST {
            return Err(HeadError::TooLarge);
        }
    }
}

/// The head of a request.
pub(super) fn request(bytes: &[u8]) -> Parsed<Request<()>> {
    let mut fields = [EMPTY_HEADER; MOST_FIELDS];
    let mut parsed = httparse::Request::new(&mut fields);
    let Some(length) = complete(parsed.parse(bytes))? else { return Ok(None) };
    let mut request = Request::new(());
    *request.method_mut() = Method::try_from(parsed.method.unwrap_or_default()).map_err(malformed)?;
    *request.uri_mut() = Uri::try_from(parsed.path.unwrap_or_default()).map_err(malformed)?;
    *request.version_mut() = version(parsed.version);
    put(parsed.headers, request.headers_mut())?;
    Ok(Some((request, length)))
}

/// The head of a response.
pub(super) fn response(bytes: &[u8]) -> Parsed<Response<()>> {
    let mut fields = [EMPTY_HEADER; MOST_FIELDS];
    let mut parsed = httparse::Response::new(&mut fields);
    let Some(length) = complete(parsed.parse(bytes))? else { return Ok(None) };
    let mut response = Response::new(());
    *response.status_mut() = StatusCode::from_u16(parsed.code.unwrap_or_default()).map_err(malformed)?;
    *response.version_mut() = version(parsed.version);
    put(parsed.headers, response.headers_mut())?;
    Ok(Some((response, length)))
}

fn complete(parsed: httparse::Result<usize>) -> Result<Option<usize>, HeadError> {
    match parsed {
        Ok(Status::Complete(length)) if length <= LONGEST => Ok(Some(length)),
        Ok(Status::Complete(_)) | Err(httparse::Error::TooManyHeaders) => Err(HeadError::TooLarge),
        Ok(Status::Partial) => Ok(None),
        Err(error) => Err(malformed(error)),
    }
}

fn version(minor: Option<u8>) -> Version {
    if minor == Some(1) { Version::HTTP_11 } else { Version::HTTP_10 }
}

fn put(fields: &[Header<'_>], into: &mut http::HeaderMap) -> Result<(), HeadError> {
    for field in fields {
        let name = HeaderName::try_from(field.name).map_err(malformed)?;
        into.append(name, HeaderValue::from_bytes(field.value).map_err(malformed)?);
    }
    Ok(())
}

fn malformed(error: impl fmt::Display) -> HeadError {
    HeadError::Malformed(error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_head_may_come_in_pieces_with_bytes_behind_it() {
        let (mut client, mut server) = tokio::io::duplex(1);
        let writing = tokio::spawn(async move {
            tokio::io::AsyncWriteExt::write_all(&mut client, b"GET /a?b HTTP/1.1\r\nx: 1\r\nX: 2\r\n\r\nrest")
                .await
        });
        let (head, behind) = read(&mut server, request).await.unwrap();
        let mut rest = behind.to_vec();
        server.read_to_end(&mut rest).await.unwrap();
        writing.await.unwrap().unwrap();
        assert_eq!(rest, b"rest");
        assert_eq!(
            (head.method(), head.uri().path(), head.version()),
            (&Method::GET, "/a", Version::HTTP_11)
        );
        assert_eq!(Vec::from_iter(head.headers().get_all("x")), ["1", "2"]);
        let (head, length) = response(b"HTTP/1.0 404 Not Found\r\n\r\nwhy").unwrap().unwrap();
        assert_eq!((head.status(), head.version(), length), (StatusCode::NOT_FOUND, Version::HTTP_10, 26));
    }

    #[test]
    fn what_is_no_head_is_refused() {
        assert!(request(b"GET / HTTP/1.1\r\n").unwrap().is_none(), "there may be more");
        for bytes in [&b"\x16\x03\x01"[..], b"GET / HTTP/1.1\r\na b: c\r\n\r\n", b"PRI * HTTP/2.0\r\n\r\n"] {
            assert!(matches!(request(bytes), Err(HeadError::Malformed(_))), "{bytes:?}");
        }
        let many = format!("GET / HTTP/1.1\r\n{}\r\n", "a: b\r\n".repeat(MOST_FIELDS + 1));
        assert!(matches!(request(many.as_bytes()), Err(HeadError::TooLarge)));
        let long = format!("GET / HTTP/1.1\r\na: {}\r\n\r\n", "b".repeat(LONGEST));
        assert!(matches!(request(long.as_bytes()), Err(HeadError::TooLarge)));
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_can_make_it_panic(bytes: Vec<u8>) {
            let _ = (request(&bytes), response(&bytes));
        }
    }
}
