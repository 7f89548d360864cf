//! The schemes that targets can be written in.

use super::{Target, TargetError};
use crate::transport::{Scheme, seam};

pub(super) fn parse(text: &str) -> Result<Target, TargetError> {
    let named = text.split_once("://");
    let fits = |scheme: &Scheme| match named {
        Some((name, _)) => scheme.is_url() && scheme.name == name,
        None => !scheme.is_url() && text.starts_with(scheme.name),
    };
    for transport in seam::all() {
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
        Some((name, _)) => TargetError::UnknownScheme { scheme: name.to_owned(), expected: forms() },
        None => TargetError::NoScheme { text: text.to_owned(), expected: forms() },
    })
}

fn forms() -> String {
    let forms: Vec<_> =
        seam::all().iter().flat_map(|transport| transport.dyn_schemes()).map(|scheme| scheme.form).collect();
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
        for scheme in seam::all().iter().flat_map(|transport| transport.dyn_schemes()) {
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
