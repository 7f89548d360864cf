use std::{fmt, str::FromStr};

/// The framework's own ALPN: every service answers on such a connection, the method is in each stream's
/// head.
pub const ALPN: &[u8] = b"polywire/1";

/// An ALPN for asking which ALPNs a peer accepts: the answer is the reason phrase of the close. TLS itself
/// tells a caller whose offer was refused nothing about what would have been accepted.
pub(super) const ALPNS: &[u8] = b"polywire/alpns";

/// An ALPN that is bound to one service, `prefix/short_name/major`: for instance `blixard/health/1` for the
/// services of package `….health.v1`. On a connection of that ALPN no other service answers, so it is an
/// authorization boundary.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ServiceAlpn {
    /// Whose protocols these are; may itself hold slashes.
    pub prefix: String,
    /// The service's short name: the last part of its package without the version.
    pub service: String,
    /// The major version of the package.
    pub major: u32,
}

/// Why a text is not the ALPN of a service.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ServiceAlpnError {
    /// It is not of the form `prefix/short_name/major`.
    #[error("{0:?} is not of the form `prefix/short_name/major`, as `blixard/health/1` is")]
    Form(String),
    /// It is longer than TLS lets an ALPN be (RFC 7301, section 3.1).
    #[error("{0:?} is longer than the 255 bytes that an ALPN may have")]
    TooLong(String),
    /// It begins with `polywire/`.
    #[error("{0:?} is reserved: names that begin with `polywire/` are the framework's own")]
    Reserved(String),
}

impl FromStr for ServiceAlpn {
    type Err = ServiceAlpnError;

    fn from_str(text: &str) -> Result<Self, ServiceAlpnError> {
        if text.len() > 255 {
            return Err(ServiceAlpnError::TooLong(text.to_owned()));
        }
        if text.starts_with("polywire/") {
            return Err(ServiceAlpnError::Reserved(text.to_owned()));
        }
        let form = || ServiceAlpnError::Form(text.to_owned());
        let (front, major) = text.rsplit_once('/').ok_or_else(form)?;
        let (prefix, service) = front.rsplit_once('/').ok_or_else(form)?;
        let named = |part: &str| {
            !part.is_empty()
                && part
                    .bytes()
                    .all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-' | b'.' | b'/'))
        };
        let major = major.parse().ok().filter(|major| *major > 0 && !text.ends_with(&format!("/0{major}")));
        match major {
            Some(major) if named(prefix) && named(service) => {
                Ok(Self { prefix: prefix.to_owned(), service: service.to_owned(), major })
            }
            _ => Err(form()),
        }
    }
}

impl fmt::Display for ServiceAlpn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}", self.prefix, self.service, self.major)
    }
}

/// What a node accepts: the framework's ALPN, and those of services.
#[derive(Clone, Debug, Default)]
pub struct Alpns(Vec<ServiceAlpn>);

/// What a connection of some ALPN may reach.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Reach {
    /// Every service.
    Everything,
    /// One service.
    Service(ServiceAlpn),
    /// Nothing: the connection asks which ALPNs there are.
    Question,
}

impl Alpns {
    /// The framework's ALPN and these.
    pub fn new(services: impl IntoIterator<Item = ServiceAlpn>) -> Self {
        let mut services = Vec::from_iter(services);
        // The server's order decides what wins: of one service, the highest version.
        services.sort_by(|a, b| (&a.prefix, &a.service, b.major).cmp(&(&b.prefix, &b.service, a.major)));
        services.dedup();
        Self(services)
    }

    /// What [`iroh::Endpoint::set_alpns`] takes, in order of preference.
    pub fn to_wire(&self) -> Vec<Vec<u8>> {
        let services = self.0.iter().map(|alpn| alpn.to_string().into_bytes());
        std::iter::once(ALPN.to_vec()).chain(services).chain([ALPNS.to_vec()]).collect()
    }

    pub(super) fn reach(&self, alpn: &[u8]) -> Option<Reach> {
        if alpn == ALPN {
            return Some(Reach::Everything);
        }
        if alpn == ALPNS {
            return Some(Reach::Question);
        }
        self.0.iter().find(|candidate| candidate.to_string().as_bytes() == alpn).cloned().map(Reach::Service)
    }
}

/// What is accepted, as the answer to a question says it and as logs show it.
impl fmt::Display for Alpns {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("polywire/1")?;
        self.0.iter().try_for_each(|alpn| write!(f, " {alpn}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_highest_version_of_a_service_is_preferred() {
        let parse = |text: &str| text.parse::<ServiceAlpn>().unwrap();
        let alpns = Alpns::new([parse("x/health/1"), parse("x/status/1"), parse("x/health/2")]);
        assert_eq!(alpns.to_string(), "polywire/1 x/health/2 x/health/1 x/status/1");
        assert_eq!(alpns.reach(b"x/health/2"), Some(Reach::Service(parse("x/health/2"))));
        assert_eq!(alpns.reach(b"x/health/3"), None);
    }

    #[test]
    fn what_is_not_of_the_form_is_refused() {
        for text in [
            "",
            "health",
            "health/1",
            "x/health/",
            "x//1",
            "/health/1",
            "x/health/0",
            "x/health/01",
            "x/he alth/1",
        ] {
            assert!(matches!(text.parse::<ServiceAlpn>(), Err(ServiceAlpnError::Form(_))), "{text:?}");
        }
        assert!(matches!("polywire/health/1".parse::<ServiceAlpn>(), Err(ServiceAlpnError::Reserved(_))));
    }
}
