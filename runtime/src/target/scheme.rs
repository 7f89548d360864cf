//! The schemes that targets can be written in.

use super::{Target, TargetError};

/// How targets of one scheme are read.
pub(super) struct Scheme {
    /// What is before `://`. A form without that is recognised by how it begins.
    pub(super) name: &'static str,
    /// What a target looks like, for messages.
    pub(super) form: &'static str,
    /// Reads what is behind `://`, or the whole text of a form without. The error says what is wrong.
    pub(super) parse: fn(&str) -> Result<Target, String>,
}

/// Every scheme that this build knows.
const ALL: &[Scheme] = &[
    #[cfg(feature = "grpc")]
    super::grpc::PLAIN,
    #[cfg(feature = "grpc")]
    super::grpc::TLS,
    #[cfg(feature = "iroh")]
    super::iroh::ADDRESS,
    #[cfg(feature = "iroh")]
    super::iroh::TICKET,
];

pub(super) fn parse(text: &str) -> Result<Target, TargetError> {
    let named = text.split_once("://");
    let scheme = match named {
        Some((name, _)) => ALL.iter().find(|scheme| scheme.is_url() && scheme.name == name),
        None => ALL.iter().find(|scheme| !scheme.is_url() && text.starts_with(scheme.name)),
    };
    match (scheme, named) {
        (Some(scheme), _) => {
            let rest = named.map_or(text, |(_, rest)| rest);
            (scheme.parse)(rest).map_err(|reason| TargetError::Malformed {
                text: text.to_owned(),
                reason,
                expected: scheme.form,
            })
        }
        (None, Some((name, _))) => {
            Err(TargetError::UnknownScheme { scheme: name.to_owned(), expected: forms() })
        }
        (None, None) => Err(TargetError::NoScheme { text: text.to_owned(), expected: forms() }),
    }
}

impl Scheme {
    fn is_url(&self) -> bool {
        self.form.contains("://")
    }
}

fn forms() -> String {
    match ALL.split_last() {
        None => "nothing: this build has no transport".to_owned(),
        Some((last, [])) => last.form.to_owned(),
        Some((last, others)) => {
            let others: Vec<_> = others.iter().map(|scheme| scheme.form).collect();
            format!("{} or {}", others.join(", "), last.form)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_scheme_is_named_and_the_known_ones_are_listed() {
        let message = parse("unix:///run/polywire").unwrap_err().to_string();
        assert!(message.starts_with("`unix://` is not built in; expected "), "{message}");
        for scheme in ALL {
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
