use std::{fmt, str::FromStr};

/// A method as the command line names it: `package.Service/Method` or `package.Service.Method`, with an optional leading
/// slash.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::cli) struct MethodName {
    path: String,
    /// The whole text, if it may be a service without a method.
    whole: Option<String>,
}

impl MethodName {
    /// `/package.Service/Method`.
    pub(in crate::cli) fn path(&self) -> &str {
        &self.path
    }

    /// The service that the whole text may name, if the method is missing.
    pub(in crate::cli) fn bare_service(&self) -> Option<&str> {
        self.whole.as_deref()
    }

    pub(in crate::cli) fn service(&self) -> &str {
        polywire_core::__runner::method::split(&self.path).0
    }

    pub(in crate::cli) fn name(&self) -> &str {
        polywire_core::__runner::method::split(&self.path).1
    }
}

impl FromStr for MethodName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let bare = text.strip_prefix('/').unwrap_or(text);
        let bare = bare.strip_suffix('/').unwrap_or(bare);
        let whole = (!bare.contains('/')).then(|| bare.to_owned());
        let parts = bare.split_once('/').or_else(|| bare.rsplit_once('.'));
        let named =
            |part: &str| part.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') && !part.is_empty();
        match parts {
            Some((service, method)) if service.split('.').all(named) && named(method) => {
                Ok(Self { path: format!("/{service}/{method}"), whole })
            }
            _ => Err("expected PACKAGE.SERVICE/METHOD, for instance grpc.health.v1.Health/Check".to_owned()),
        }
    }
}

impl fmt::Display for MethodName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.path[1..])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_way_of_writing_a_method_is_the_same_method() {
        for (text, whole) in [("a.v1.A/Get", None), ("/a.v1.A/Get", None), ("a.v1.A.Get", Some("a.v1.A.Get"))]
        {
            let method: MethodName = text.parse().unwrap();
            assert_eq!((method.path(), method.service(), method.name()), ("/a.v1.A/Get", "a.v1.A", "Get"));
            assert_eq!((&*method.to_string(), method.bare_service()), ("a.v1.A/Get", whole));
        }
        assert_eq!("A/Get".parse::<MethodName>().unwrap().service(), "A");
        assert_eq!("a.v1.A/".parse::<MethodName>().unwrap().bare_service(), Some("a.v1.A"));
    }

    #[test]
    fn what_names_no_method_is_refused() {
        for text in ["", "/", "Get", "A/", "/Get", "a.v1.A/Get/More", "a..A/Get", "a.A/Ge t"] {
            assert!(text.parse::<MethodName>().is_err(), "{text:?}");
        }
    }
}
