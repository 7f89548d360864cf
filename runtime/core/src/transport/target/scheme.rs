//! The schemes that targets can be written in.

use super::{Target, TargetError};
use crate::transport::{self, Scheme};

pub(super) fn parse(text: &str) -> Result<Target, TargetError> {
    let named = text.split_once("://");
    let fits = |scheme: &Scheme| match named {
        // RFC 3986, section 3.1: a scheme is the same in capitals.
        Some((name, _)) => scheme.is_url() && scheme.name.eq_ignore_ascii_case(name),
        None => !scheme.is_url() && text.starts_with(scheme.name),
    };
    for transport in transport::all() {
        if let Some(scheme) = transport.dyn_schemes().iter().find(|scheme| fits(scheme)) {
            let rest = named.map_or(text, |(_, rest)| rest);
            return transport.dyn_parse(scheme.name, rest).map_err(|reason| TargetError::Malformed {
                text: text.to_owned(),
                reason,
                expected: scheme.form,
            });
        }
    }
    Err(match named {
        Some((name, rest)) => TargetError::UnknownScheme {
            scheme: name.to_owned(),
            meant: spelt(name).and_then(|scheme| target(scheme, rest)),
            expected: forms(),
        },
        None => TargetError::NoScheme { text: text.to_owned(), meant: completed(text), expected: forms() },
    })
}

/// The scheme that one which is not known stands for.
fn spelt(unknown: &str) -> Option<&'static str> {
    match unknown.to_ascii_lowercase().as_str() {
        // gRPC is HTTP/2, and URLs of servers are copied as they are.
        "http" => Some("grpc"),
        "https" => Some("grpcs"),
        #[cfg(feature = "suggestions")]
        unknown => {
            let all = transport::all();
            let schemes =
                all.iter().flat_map(|transport| transport.dyn_schemes()).filter(|scheme| scheme.is_url());
            crate::nearest::nearest(unknown, schemes.map(|scheme| scheme.name))
        }
        #[cfg(not(feature = "suggestions"))]
        _ => None,
    }
}

/// The target that a text without `://` is but for its scheme: an address with a port, or the path of a socket.
fn completed(text: &str) -> Option<String> {
    if text.starts_with('/') {
        return target("unix", text);
    }
    let scheme = text.split_once(':').and_then(|(scheme, rest)| Some((spelt(scheme)?, rest)));
    let (scheme, rest) = scheme.unwrap_or(("grpc", text));
    let (host, port) = rest.trim_start_matches('/').rsplit_once(':')?;
    let is_address = !host.is_empty() && port.parse::<u16>().is_ok();
    is_address.then(|| target(scheme, rest.trim_start_matches('/'))).flatten()
}

/// The target of this scheme, if it is one.
fn target(scheme: &str, rest: &str) -> Option<String> {
    let text = format!("{scheme}://{rest}");
    parse(&text).is_ok().then_some(text)
}

fn forms() -> String {
    let forms: Vec<_> = transport::all()
        .iter()
        .flat_map(|transport| transport.dyn_schemes())
        .map(|scheme| scheme.form)
        .collect();
    match forms.split_last() {
        None => "nothing: this build has no transport".to_owned(),
        Some((last, [])) => (*last).to_owned(),
        Some((last, others)) => format!("{} or {last}", others.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_scheme_is_named_and_the_known_ones_are_listed() {
        let message = parse("pigeon://loft").unwrap_err().to_string();
        assert!(message.starts_with("`pigeon://` is not built in; expected "), "{message}");
        for scheme in transport::all().iter().flat_map(|transport| transport.dyn_schemes()) {
            assert!(message.contains(scheme.form), "{message} lacks {}", scheme.form);
        }
    }

    #[test]
    fn a_text_without_a_scheme_is_no_target() {
        for text in ["", "127.0.0.1:7001", "localhost", "grpc:127.0.0.1:7001"] {
            assert!(matches!(parse(text), Err(TargetError::NoScheme { .. })), "{text:?}");
        }
    }
}
