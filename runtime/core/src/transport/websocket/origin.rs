use std::fmt;

use http::Uri;
use serde::{Deserialize, Serialize};

use crate::settings::Setting;

/// Where a page comes from, as browsers say it in the header `Origin`
/// ([RFC 6454, section 6.2](https://www.rfc-editor.org/rfc/rfc6454#section-6.2)): `https://shop.example`, the port
/// only where it is not the scheme's own; `null` for pages from nowhere, such as local files.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Origin(String);

/// Why a text is no [`Origin`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not an origin as browsers send it; expected {expected}")]
pub struct NoOrigin {
    text: String,
    expected: String,
}

impl Origin {
    /// As browsers send it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for Origin {
    type Error = NoOrigin;

    fn try_from(text: String) -> Result<Self, NoOrigin> {
        let expected = match text.parse::<Uri>().as_ref().map(origin) {
            _ if text == "null" => text.clone(),
            Ok(Some(origin)) => origin,
            _ => "one such as https://shop.example".to_owned(),
        };
        if text == expected { Ok(Self(text)) } else { Err(NoOrigin { text, expected }) }
    }
}

/// The origin of this URI ([RFC 6454, section 4](https://www.rfc-editor.org/rfc/rfc6454#section-4)): scheme, host and port in
/// lower case, without a port that is the scheme's own; `None` without a scheme or a host. Browsers send a host that is not
/// ASCII as Punycode.
fn origin(uri: &Uri) -> Option<String> {
    let (scheme, host) = (uri.scheme_str()?.to_lowercase(), uri.host()?.to_lowercase());
    let own = match &*scheme {
        "http" | "ws" => Some(80),
        "https" | "wss" => Some(443),
        _ => None,
    };
    Some(match uri.port_u16().filter(|port| Some(*port) != own) {
        Some(port) => format!("{scheme}://{host}:{port}"),
        None => format!("{scheme}://{host}"),
    })
}

impl From<Origin> for String {
    fn from(origin: Origin) -> Self {
        origin.0
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Setting for Vec<Origin> {
    const EXPECTED: &'static str = "a list of origins such as [\"https://shop.example\"]";
    const ELEMENT: &'static str = "an origin such as \"https://shop.example\"";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_what_a_browser_would_send() {
        for text in ["https://shop.example", "http://localhost:8080", "null", "chrome-extension://abc"] {
            assert_eq!(Origin::try_from(text.to_owned()).unwrap().as_str(), text);
        }
        for text in
            ["shop.example", "*", "", "https://shop.example/", "https://Shop.example", "https://a:443"]
        {
            let error = Origin::try_from(text.to_owned()).unwrap_err();
            assert!(error.to_string().contains("; expected "), "{error}");
        }
        let slash = Origin::try_from("https://a.example/".to_owned()).unwrap_err();
        assert!(slash.to_string().ends_with("expected https://a.example"), "{slash}");
    }
}
