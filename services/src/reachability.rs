//! Over which transports the other members of the cluster are reachable, found out by calling them.

use std::{collections::BTreeMap, fmt, sync::Arc, time::Duration};

use futures_util::future::join_all;
use polywire::{
    Channel, Code, Codec, ConnectOptions, Context, Status, Target, TraceContext,
    transport::{NetworkPath, PathProbe},
};
use polywire_proto::grpc::health::v1::HealthCheckRequest;
use tokio::{sync::Mutex, time::Instant};

use crate::{health::HealthClient, member::Member};

/// How long a member may take to be dialled and to answer.
const PATIENCE: Duration = Duration::from_secs(1);

/// The probes of the members' endpoints, kept from one round to the next. Clones share them.
#[derive(Clone, Default)]
pub(crate) struct Reachability(Arc<Mutex<ProbeTable>>);

#[derive(Default)]
struct ProbeTable {
    /// When the last finished round began.
    begun: Option<Instant>,
    /// By the member's id and the target.
    probes: BTreeMap<(u64, String), Probe>,
}

/// One endpoint of one member.
struct Probe {
    target: Target,
    /// Its index among the targets of its member.
    place: usize,
    open: Option<(Channel, PathProbe)>,
    reachable: bool,
    /// When it was answered last, and how long that took.
    answered: Option<(Instant, Duration)>,
    /// When and why it failed last.
    failed: Option<(Instant, String)>,
}

/// How a member is reached over one transport.
#[derive(Clone, Debug)]
pub(crate) struct ProbeReport {
    /// The member's id.
    pub(crate) member: u64,
    pub(crate) transport: &'static str,
    pub(crate) target: String,
    /// Whether it has just answered.
    pub(crate) reachable: bool,
    /// How long its last answer took.
    pub(crate) round_trip: Option<Duration>,
    /// How long ago that was.
    pub(crate) last_contact: Option<Duration>,
    /// The network path, while there is a connection.
    pub(crate) path: Option<NetworkPath>,
    /// How long ago and why it failed last, whether or not it has answered since.
    pub(crate) last_error: Option<(Duration, String)>,
}

impl Reachability {
    /// Calls each of these members over every transport that it has an address for, concurrently, and reports the
    /// outcomes in the order of their ids and targets. Concurrent callers share one round of calls.
    ///
    /// # Cancel safety
    /// Safe: members that have not answered yet keep their last outcome.
    pub(crate) async fn ask(&self, options: &ConnectOptions, members: &[(u64, Member)]) -> Vec<ProbeReport> {
        let arrived = Instant::now();
        let mut state = self.0.lock().await;
        if state.begun.is_none_or(|begun| begun < arrived) {
            let begun = Instant::now();
            state.learn(members);
            join_all(state.probes.values_mut().map(|probe| probe.ask(options))).await;
            state.begun = Some(begun);
        }
        let mut reports: Vec<_> =
            state.probes.iter().map(|((member, _), probe)| (probe.place, probe.report(*member))).collect();
        reports.sort_by_key(|(place, report)| (report.member, *place));
        reports.into_iter().map(|(_, report)| report).collect()
    }
}

impl ProbeTable {
    /// Adds probes of new endpoints and drops those of removed ones. After a member has moved, the history of its
    /// endpoint over the same transport is kept.
    fn learn(&mut self, members: &[(u64, Member)]) {
        let mut before = std::mem::take(&mut self.probes);
        for (id, member) in members {
            let targets = member.targets.iter().filter_map(|text| text.parse::<Target>().ok());
            // A local address, such as a Unix socket, means another node on another machine.
            for (place, target) in targets.enumerate().filter(|(_, to)| !to.is_local()) {
                let key = (*id, target.to_string());
                let probe = before.remove(&key).or_else(|| moved(&mut before, *id, member, &target));
                let probe = probe.unwrap_or_else(|| Probe::new(target));
                self.probes.insert(key, Probe { place, ..probe });
            }
        }
    }
}

/// The probe of the endpoint that the member had before this target.
fn moved(
    before: &mut BTreeMap<(u64, String), Probe>,
    id: u64,
    member: &Member,
    target: &Target,
) -> Option<Probe> {
    let is_left = |(other, text): &(u64, String), probe: &Probe| {
        *other == id && probe.target.transport() == target.transport() && !member.targets.contains(text)
    };
    let key = before.iter().find(|(key, probe)| is_left(key, probe)).map(|(key, _)| key.clone())?;
    let probe = before.remove(&key)?;
    Some(Probe { target: target.clone(), open: None, reachable: false, ..probe })
}

impl Probe {
    fn new(target: Target) -> Self {
        Self { target, place: 0, open: None, reachable: false, answered: None, failed: None }
    }

    async fn ask(&mut self, options: &ConnectOptions) {
        let late = || Err(Status::deadline_exceeded(format!("no answer within {PATIENCE:?}")));
        let outcome = tokio::time::timeout(PATIENCE, self.measure(options)).await.unwrap_or_else(|_| late());
        let now = Instant::now();
        self.reachable = outcome.is_ok();
        match outcome {
            Ok(took) => self.answered = Some((now, took)),
            Err(status) => {
                self.failed = Some((now, status.to_string()));
                // A member that was restarted does not know the connection: the next question makes another.
                self.open = None;
            }
        }
    }

    /// How long an answer takes over a connection that is there.
    async fn measure(&mut self, options: &ConnectOptions) -> Result<Duration, Status> {
        let channel = match &self.open {
            Some((channel, _)) => channel.clone(),
            None => {
                let opened = self.target.open(options).await?;
                // The dial does not count as round trip.
                check(&opened.channel).await?;
                self.open.insert((opened.channel, opened.path)).0.clone()
            }
        };
        let begun = Instant::now();
        check(&channel).await?;
        Ok(begun.elapsed())
    }

    fn report(&self, member: u64) -> ProbeReport {
        ProbeReport {
            member,
            transport: self.target.transport(),
            target: self.target.to_string(),
            reachable: self.reachable,
            round_trip: self.answered.map(|(_, took)| took),
            last_contact: self.answered.map(|(at, _)| at.elapsed()),
            path: self.open.as_ref().and_then(|(_, path)| path.now()),
            last_error: self.failed.as_ref().map(|(at, reason)| (at.elapsed(), reason.clone())),
        }
    }
}

/// One cheap call that every node serves. Any answer shows that the member is there.
async fn check(channel: &Channel) -> Result<(), Status> {
    // Traces of what is asked all the time would hide those of calls.
    let cx = Context::new().with_trace(TraceContext::unsampled()).with_codec(Codec::Protobuf);
    let whole = HealthCheckRequest::default();
    match HealthClient::new(channel.clone()).check(whole).context(&cx).timeout(PATIENCE).await {
        Err(status) if is_transport_failure(status.code()) => Err(status),
        Err(_) | Ok(_) => Ok(()),
    }
}

fn is_transport_failure(code: Code) -> bool {
    matches!(code, Code::Unavailable | Code::DeadlineExceeded | Code::Cancelled | Code::Unknown)
}

impl fmt::Debug for Reachability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reachability").finish_non_exhaustive()
    }
}
