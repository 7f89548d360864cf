use std::fmt;

use crate::AlpnName;

/// The framework's own ALPN: every service answers on such a connection, the method is in each stream's
/// head.
pub const ALPN: &[u8] = b"polywire/1";

/// An ALPN for asking which ALPNs a peer accepts: the answer is the reason phrase of the close. TLS itself
/// tells a caller whose offer was refused nothing about what would have been accepted.
pub(super) const ALPNS: &[u8] = b"polywire/alpns";

/// What a node accepts: the framework's ALPN, and those of services.
#[derive(Clone, Debug, Default)]
pub struct Alpns(Vec<AlpnName>);

/// What a connection of some ALPN may reach.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Reach {
    /// Every service.
    Everything,
    /// One service.
    Service(AlpnName),
    /// Nothing: the connection asks which ALPNs there are.
    Question,
}

impl Alpns {
    /// The framework's ALPN and these.
    pub fn new(services: impl IntoIterator<Item = AlpnName>) -> Self {
        let mut services = Vec::from_iter(services);
        // The server's order decides what wins: of one service, the highest version.
        services
            .sort_by(|a, b| (a.prefix(), a.service(), b.major()).cmp(&(b.prefix(), b.service(), a.major())));
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
        let parse = |text: &str| text.parse::<AlpnName>().unwrap();
        let alpns = Alpns::new([parse("x/health/1"), parse("x/status/1"), parse("x/health/2")]);
        assert_eq!(alpns.to_string(), "polywire/1 x/health/2 x/health/1 x/status/1");
        assert_eq!(alpns.reach(b"x/health/2"), Some(Reach::Service(parse("x/health/2"))));
        assert_eq!(alpns.reach(b"x/health/3"), None);
    }
}
