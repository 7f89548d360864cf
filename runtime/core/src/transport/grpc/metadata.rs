use base64::{
    Engine, alphabet,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue};

use crate::{
    Metadata, Status, Truncated,
    metadata::{is_binary, is_reserved},
};

/// Base64 as gRPC asks for it: written without padding, read with or without.
pub(super) const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_encode_padding(false)
        .with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Adds the metadata to the headers.
pub(super) fn write(metadata: &Metadata, headers: &mut HeaderMap) {
    for (key, value) in metadata.iter() {
        // A checked key is a header's name, and a checked value a header's value.
        let Ok(name) = HeaderName::from_bytes(key.as_bytes()) else { continue };
        let value = if is_binary(key.as_bytes()) {
            HeaderValue::from_str(&BASE64.encode(value))
        } else {
            HeaderValue::from_maybe_shared(value.clone())
        };
        if let Ok(value) = value {
            headers.append(name, value);
        }
    }
}

/// What the metadata weighs as headers: as [`Metadata::weight`], with binary values in base64.
pub(super) fn weight(metadata: &Metadata) -> usize {
    let binary = metadata.iter().filter(|(key, _)| is_binary(key.as_bytes()));
    let growth: usize = binary.map(|(_, value)| value.len().div_ceil(3)).sum();
    metadata.weight() + growth
}

/// The metadata among the headers: all that neither HTTP nor gRPC use for themselves.
///
/// # Errors
/// `Internal` when a binary entry is not base64.
pub(super) fn read(headers: &HeaderMap) -> Result<Metadata, Status> {
    let mut metadata = Metadata::new();
    for (name, value) in headers {
        let key = name.as_str();
        // HTTP servers date their answers by themselves, which says nothing about a call.
        if is_reserved(key.as_bytes()) || *name == http::header::DATE {
            continue;
        }
        if !is_binary(key.as_bytes()) {
            // What HTTP allows and gRPC does not, say Latin-1, is no metadata.
            let _ = metadata.append_received(copy(key), Bytes::copy_from_slice(value.as_bytes()));
            continue;
        }
        // Several binary values of one key may be joined by commas.
        for part in value.as_bytes().split(|byte| *byte == b',') {
            let decoded = BASE64.decode(part.trim_ascii());
            let decoded = decoded
                .map_err(|_| Status::internal(format!("metadata {} is not base64", Truncated(key))))?;
            let _ = metadata.append_received(copy(key), decoded.into());
        }
    }
    Ok(metadata)
}

fn copy(key: &str) -> Bytes {
    Bytes::copy_from_slice(key.as_bytes())
}
