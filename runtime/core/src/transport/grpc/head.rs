use http::{HeaderMap, HeaderName, HeaderValue, header};

use super::timeout;
use crate::Codec;

pub(super) const GRPC_TIMEOUT: HeaderName = HeaderName::from_static("grpc-timeout");

/// The content type of messages in this codec.
pub(super) fn content_type(codec: Codec) -> HeaderValue {
    HeaderValue::from_static(match codec {
        Codec::Protobuf => "application/grpc",
        Codec::MessagePack => "application/grpc+msgpack",
    })
}

/// The codec that the content type names; `None` where it is not gRPC.
///
/// # Errors
/// The name of a codec that is not known here.
pub(super) fn codec(headers: &HeaderMap) -> Option<Result<Codec, &str>> {
    let value = headers.get(header::CONTENT_TYPE)?.to_str().ok()?;
    let essence = value.split(';').next()?.trim();
    let codec = match essence.strip_prefix("application/grpc")? {
        "" | "+proto" => Ok(Codec::Protobuf),
        "+msgpack" => Ok(Codec::MessagePack),
        other => Err(other.strip_prefix('+')?),
    };
    Some(codec)
}

/// The caller's timeout; an error where the header cannot be read.
pub(super) fn timeout(headers: &HeaderMap) -> Result<Option<std::time::Duration>, ()> {
    match headers.get(GRPC_TIMEOUT) {
        None => Ok(None),
        Some(value) => value.to_str().ok().and_then(timeout::parse).map(Some).ok_or(()),
    }
}
