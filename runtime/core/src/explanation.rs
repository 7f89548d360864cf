use std::{fmt, time::Duration};

use crate::NetworkPath;

/// How the calls of a [`Channel`](crate::Channel) choose their transport now, and why. Its `Display` is a table for people.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Explanation {
    /// Each transport, in the channel's order.
    pub subchannels: Vec<SubchannelExplanation>,
    /// Each service that was called: what a call of it would take now, and why.
    pub services: Vec<ServiceExplanation>,
    /// The members of a cluster, where the channel leads to one; the transports are theirs then.
    pub members: Vec<MemberExplanation>,
    /// How many further attempts at calls may be made now.
    pub budget: u32,
}

/// One member of a cluster.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct MemberExplanation {
    /// Its id.
    pub id: String,
    /// What people call it.
    pub name: String,
    /// Whether it answered the member that told of it.
    pub reached: bool,
    /// How many calls wait for its answer.
    pub in_flight: u32,
    /// The names of the services that it serves.
    pub serves: Vec<String>,
    /// Each service of which it was called.
    pub services: Vec<MemberService>,
    /// Each transport that leads to it.
    pub subchannels: Vec<SubchannelExplanation>,
}

/// How a service has been doing at one member of a cluster.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct MemberService {
    /// Its name, `package.Service`.
    pub name: String,
    /// The average latency.
    pub latency: Option<Duration>,
    /// The share of calls that fail.
    pub errors: f64,
}

/// One transport of a channel.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct SubchannelExplanation {
    /// The transport's name.
    pub transport: &'static str,
    /// Where it leads.
    pub target: String,
    /// Whether it works.
    pub state: SubchannelState,
    /// How often it failed in a row.
    pub failures: u32,
    /// How many calls wait for their answer over it.
    pub waiting: u32,
    /// The transport's own round trip, where it measures one.
    pub round_trip: Option<Duration>,
    /// Which way the packets take, where the transport knows.
    pub path: Option<NetworkPath>,
    /// The average latency of the calls that are [measured](crate::policy::Policy::measured), of all services; `None`
    /// before the first.
    pub latency: Option<Duration>,
    /// How long ago a call was answered over it.
    pub last_answer: Option<Duration>,
    /// Why it failed last, and how long ago.
    pub last_error: Option<(String, Duration)>,
    /// Whether nothing was heard of the peer since then, by a call or a probe.
    pub is_failing: bool,
}

/// Whether a transport works.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SubchannelState {
    /// Not tried yet.
    Untried,
    /// It works.
    Closed,
    /// It does not answer, and is being asked.
    Suspected,
    /// It does not work, and is asked again after this.
    Open(Duration),
    /// It did not work, and is being asked.
    HalfOpen,
}

/// One service of a channel.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ServiceExplanation {
    /// Its name, `package.Service`.
    pub name: String,
    /// The transport that a call would take now.
    pub taken: &'static str,
    /// Why that.
    pub reason: String,
    /// For each transport, in the channel's order: the average latency and the share of calls that fail.
    pub scores: Vec<(Option<Duration>, f64)>,
}

impl fmt::Display for SubchannelState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Untried => f.write_str("untried"),
            Self::Closed => f.write_str("closed"),
            Self::Suspected => f.write_str("suspected"),
            Self::Open(left) => write!(f, "open for {}", short(*left)),
            Self::HalfOpen => f.write_str("half-open"),
        }
    }
}

impl fmt::Display for SubchannelExplanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:<10} {:<16} {}", self.transport, self.state.to_string(), self.target)?;
        if let Some(relay) = self.path.as_ref().and_then(|path| path.relay.as_ref()) {
            write!(f, "  through the relay {relay}")?;
        }
        if let Some(round_trip) = self.round_trip {
            write!(f, "  round trip {}", short(round_trip))?;
        }
        if self.failures > 0 {
            write!(f, "  failed {} times in a row", self.failures)?;
        }
        if let Some((reason, ago)) = &self.last_error {
            write!(f, "  last error {} ago: {reason}", short(*ago))?;
        }
        Ok(())
    }
}

impl fmt::Display for MemberExplanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let unreached = if self.reached { "" } else { "; it did not answer the member that told of it" };
        writeln!(f, "member {} ({}): {} calls in flight{unreached}", self.name, self.id, self.in_flight)?;
        for subchannel in &self.subchannels {
            writeln!(f, "  {subchannel}")?;
        }
        for MemberService { name, latency, errors } in &self.services {
            let latency = latency.map_or_else(|| "not answered yet".to_owned(), short);
            writeln!(f, "  {name} {latency}, {:.1} % fail", 100.0 * errors)?;
        }
        Ok(())
    }
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for subchannel in &self.subchannels {
            writeln!(f, "{subchannel}")?;
        }
        for member in &self.members {
            write!(f, "{member}")?;
        }
        for service in &self.services {
            writeln!(f, "{} takes {}: {}", service.name, service.taken, service.reason)?;
            for (subchannel, (latency, errors)) in self.subchannels.iter().zip(&service.scores) {
                let latency = latency.map_or_else(|| "nothing measured yet".to_owned(), short);
                writeln!(f, "  {:<10} {latency}, {:.1} % fail", subchannel.transport, 100.0 * errors)?;
            }
        }
        writeln!(f, "{} further attempts may be made", self.budget)
    }
}

fn short(duration: Duration) -> String {
    match duration {
        long if long >= Duration::from_secs(1) => format!("{:.1} s", long.as_secs_f64()),
        middle if middle >= Duration::from_millis(1) => format!("{:.1} ms", 1e3 * middle.as_secs_f64()),
        short => format!("{} us", short.as_micros()),
    }
}
