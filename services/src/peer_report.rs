//! How a member of the cluster answers, as this node's calls to it show.

use std::time::Duration;

use polywire::transport::NetworkPath;

use crate::member::Member;

/// How a member answers, as calls to it have shown.
#[derive(Clone, Debug)]
pub struct PeerReport {
    /// Its id.
    pub id: u64,
    /// What it says of itself.
    pub member: Member,
    /// The transport of the last call that was answered.
    pub transport: Option<&'static str>,
    /// How long ago that was.
    pub last_contact: Option<Duration>,
    /// Moving average of how long messages of consensus take over that transport; `None` before the first one.
    pub latency: Option<Duration>,
    /// The network path of that transport now.
    pub path: Option<NetworkPath>,
    /// Why calls fail now, for each transport over which they do.
    pub failures: Vec<(&'static str, String)>,
    /// How long ago and why a call failed last, for each transport over which one has, including transports that work
    /// again.
    pub past: Vec<(&'static str, Duration, String)>,
}

impl PeerReport {
    /// Whether a call was answered recently and none has failed since.
    pub fn is_reachable(&self) -> bool {
        let recent = self.last_contact.is_some_and(|ago| ago < RECENT);
        recent && !self.transport.is_some_and(|taken| self.failures.iter().any(|(name, _)| *name == taken))
    }
}

/// A leader calls each member several times a second, so a member that has not answered for this long is unreachable.
const RECENT: Duration = Duration::from_secs(3);
