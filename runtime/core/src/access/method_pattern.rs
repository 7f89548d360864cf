use std::{fmt, str::FromStr};

use crate::{AccessClass, Context, method};

/// Methods that a rule or a token allows. Its text form, by [`Display`](fmt::Display) and [`FromStr`], is that of the
/// configuration's `[[access.allow]] what`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum MethodPattern {
    /// All methods of a class: `public`, `member`, `operator` or `application`.
    Class(AccessClass),
    /// All methods of a service: `package.Service/*`. It holds `package.Service`.
    Service(Box<str>),
    /// One method: `package.Service/Method`.
    Method(Box<str>),
}

impl MethodPattern {
    /// Whether this is the pattern of the method at the path `/package.Service/Method`, which is of this class.
    ///
    /// ```
    /// use polywire::{AccessClass, access::MethodPattern};
    ///
    /// let pattern: MethodPattern = "inventory.v1.Inventory/*".parse()?;
    /// assert!(pattern.matches("/inventory.v1.Inventory/Get", AccessClass::Application));
    /// assert!(!pattern.matches("/inventory.v1.InventoryAdmin/Get", AccessClass::Application));
    /// # Ok::<_, polywire::access::InvalidMethodPattern>(())
    /// ```
    pub fn matches(&self, path: &str, class: AccessClass) -> bool {
        match self {
            Self::Class(own) => *own == class,
            Self::Service(service) => **service == *method::split(path).0,
            Self::Method(method) => path.strip_prefix('/') == Some(method),
        }
    }

    /// Whether this is the pattern of the method that is called. A method that is not known at this end is an application
    /// method.
    pub fn matches_call(&self, cx: &Context) -> bool {
        self.matches(cx.path(), class_of(cx))
    }

    /// The service, `package.Service`; `None` for a class.
    pub fn service(&self) -> Option<&str> {
        match self {
            Self::Class(_) => None,
            Self::Service(service) => Some(service),
            Self::Method(method) => method.split('/').next(),
        }
    }
}

/// The class of the method that is called. What is not known at this end gets the same decision as an application method,
/// so that a refusal does not tell which methods there are.
pub(crate) fn class_of(cx: &Context) -> AccessClass {
    cx.method.map_or(AccessClass::Application, crate::Method::access_class)
}

impl fmt::Display for MethodPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Class(class) => class.fmt(f),
            Self::Service(service) => write!(f, "{service}/*"),
            Self::Method(method) => f.write_str(method),
        }
    }
}

impl From<AccessClass> for MethodPattern {
    fn from(class: AccessClass) -> Self {
        Self::Class(class)
    }
}

/// The text is no [`MethodPattern`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvalidMethodPattern(String);

impl fmt::Display for InvalidMethodPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "invalid method pattern {:?}; expected public, member, operator, application, package.Service/* or \
             package.Service/Method",
            self.0
        )
    }
}

impl std::error::Error for InvalidMethodPattern {}

impl FromStr for MethodPattern {
    type Err = InvalidMethodPattern;

    fn from_str(text: &str) -> Result<Self, InvalidMethodPattern> {
        parse(text).ok_or_else(|| InvalidMethodPattern(text.to_owned()))
    }
}

fn parse(text: &str) -> Option<MethodPattern> {
    let Some((service, method)) = text.split_once('/') else {
        return text.parse().ok().map(MethodPattern::Class);
    };
    if !is_name(service) {
        return None;
    }
    match method {
        "*" => Some(MethodPattern::Service(service.into())),
        method if is_name(method) => Some(MethodPattern::Method(text.into())),
        _ => None,
    }
}

/// The characters that a path may have between its slashes.
fn is_name(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_is_read_as_it_is_written() {
        for text in ["public", "member", "operator", "application", "a.v1.A/*", "a.v1.A/Get", "Bare/get_all"]
        {
            assert_eq!(text.parse::<MethodPattern>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn a_malformed_pattern_names_the_text_and_the_forms() {
        for text in
            ["", "/", "*", "a.v1.A", "a.v1.A/", "/a.v1.A/Get", "a.v1.A/G*", "a.*/Get", "a/b/c", "Public"]
        {
            let error = text.parse::<MethodPattern>().unwrap_err().to_string();
            assert!(
                error.starts_with(&format!("invalid method pattern {text:?}; expected public")),
                "{error}"
            );
        }
    }

    #[test]
    fn a_pattern_matches_whole_names() {
        let cases = [
            ("application", "/a.v1.A/Get", true),
            ("operator", "/a.v1.A/Get", false),
            ("a.v1.A/*", "/a.v1.A/Get", true),
            ("a.v1.A/*", "/a.v1.AB/Get", false),
            ("a.v1.A/Get", "/a.v1.A/Get", true),
            ("a.v1.A/Get", "/a.v1.A/GetAll", false),
            ("a.v1.A/Get", "a.v1.A/Get", false),
        ];
        for (pattern, path, matches) in cases {
            let pattern: MethodPattern = pattern.parse().unwrap();
            assert_eq!(pattern.matches(path, AccessClass::Application), matches, "{pattern} {path}");
        }
    }
}
