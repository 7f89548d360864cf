use http::{HeaderMap, HeaderName, HeaderValue};

use crate::{Compression, CompressionSet, Status, compression};

const GRPC_ENCODING: HeaderName = HeaderName::from_static("grpc-encoding");
const GRPC_ACCEPT_ENCODING: HeaderName = HeaderName::from_static("grpc-accept-encoding");

/// No compression, among the names of compressions.
const IDENTITY: &str = "identity";

/// What this build accepts, as the header that says so.
const ACCEPTED: &str = match (Compression::Gzip.is_supported(), Compression::Zstd.is_supported()) {
    (true, true) => "identity,gzip,zstd",
    (true, false) => "identity,gzip",
    (false, true) => "identity,zstd",
    (false, false) => IDENTITY,
};

/// Says what the messages of this direction may be compressed with, and what is accepted in the other one.
pub(super) fn announce(compression: Option<Compression>, headers: &mut HeaderMap) {
    headers.insert(GRPC_ACCEPT_ENCODING, HeaderValue::from_static(ACCEPTED));
    if let Some(compression) = compression {
        headers.insert(GRPC_ENCODING, HeaderValue::from_static(compression.name()));
    }
}

/// What the peer may compress its messages with.
///
/// # Errors
/// `Unimplemented` where it is not known here. Source:
/// [Compression](https://github.com/grpc/grpc/blob/master/doc/compression.md).
pub(super) fn announced(headers: &HeaderMap) -> Result<Option<Compression>, Status> {
    let Some(value) = headers.get(GRPC_ENCODING) else { return Ok(None) };
    if value == IDENTITY {
        return Ok(None);
    }
    let name = String::from_utf8_lossy(value.as_bytes());
    match name.parse::<Compression>() {
        Ok(compression) => compression.supported().map(Some),
        Err(_) => Err(compression::unknown(&name)),
    }
}

/// What the peer accepts.
pub(super) fn accepted(headers: &HeaderMap) -> CompressionSet {
    let values = headers.get_all(GRPC_ACCEPT_ENCODING).iter().filter_map(|value| value.to_str().ok());
    let names = values.flat_map(|value| value.split(',')).map(str::trim);
    names.filter_map(|name| name.parse().ok()).fold(CompressionSet::none(), CompressionSet::with)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_this_build_accepts_reads_back() {
        let mut headers = HeaderMap::new();
        announce(None, &mut headers);
        assert_eq!(accepted(&headers), CompressionSet::supported());
        assert_eq!(announced(&headers).unwrap(), None);
    }

    #[test]
    fn names_that_nobody_knows_are_no_reason_to_refuse_the_others() {
        let mut headers = HeaderMap::new();
        headers.append(GRPC_ACCEPT_ENCODING, HeaderValue::from_static("identity, br ,,gzip"));
        headers.append(GRPC_ACCEPT_ENCODING, HeaderValue::from_static("zstd"));
        let expected = CompressionSet::none().with(Compression::Gzip).with(Compression::Zstd);
        assert_eq!(accepted(&headers), expected);
    }

    #[test]
    fn an_encoding_that_is_not_known_is_refused_with_those_that_are() {
        let mut headers = HeaderMap::new();
        headers.insert(GRPC_ENCODING, HeaderValue::from_static("br"));
        let status = announced(&headers).unwrap_err();
        assert_eq!(status.code(), crate::Code::Unimplemented);
        assert!(status.message().contains("\"br\""), "{status}");
        assert!(status.message().ends_with(&CompressionSet::supported().to_string()), "{status}");
    }
}
