use std::str::FromStr;

use base64::{
    Engine as _, alphabet,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};

use super::super::access::TokenArg;
use polywire_core::Metadata;

/// A valid `-H 'key: value'`.
#[derive(Clone, Debug)]
pub(in crate::cli) struct Header(Metadata);

/// Padding is optional, as in gRPC.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

impl Header {
    /// Merges all headers, behind the token if there is one.
    pub(super) fn collect(headers: Vec<Self>, token: Option<&TokenArg>) -> Metadata {
        let mut metadata = token.map(TokenArg::metadata).unwrap_or_default();
        for header in headers {
            metadata.extend(header.0);
        }
        metadata
    }
}

impl FromStr for Header {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (key, value) =
            text.split_once(':').ok_or_else(|| "missing colon; expected KEY: VALUE".to_owned())?;
        let (key, value) = (key.trim().to_ascii_lowercase(), value.trim());
        let mut metadata = Metadata::new();
        let added = if key.ends_with("-bin") {
            let value =
                BASE64.decode(value).map_err(|error| format!("invalid value, not base64: {error}"))?;
            metadata.append_bin(&key, value)
        } else {
            metadata.append(&key, value)
        };
        added.map_err(|error| error.to_string())?;
        Ok(Self(metadata))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_are_metadata_in_their_order() {
        let headers = ["tenant: blue", "Tenant:green", "url: http://x:1", "trace-bin: AP8"];
        let metadata = Header::collect(headers.map(|header| header.parse().unwrap()).into(), None);
        assert_eq!(metadata.get_all("tenant").collect::<Vec<_>>(), ["blue", "green"]);
        assert_eq!(metadata.get("url"), Some("http://x:1"));
        assert_eq!(metadata.get_bin("trace-bin").unwrap().as_ref(), [0, 255]);
    }

    #[test]
    fn what_is_no_metadata_is_refused() {
        for (text, reason) in [
            ("tenant", "expected KEY: VALUE"),
            ("trace-bin: !", "not base64"),
            ("grpc-timeout: 1S", "reserved"),
            ("te nant: blue", "lower-case letters"),
            ("tenant: bl\u{fc}", "printable ASCII"),
        ] {
            assert!(text.parse::<Header>().unwrap_err().contains(reason), "{text}");
        }
    }
}
