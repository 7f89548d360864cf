use std::{collections::BTreeSet, future::Future, time::Duration};

use bytes::Bytes;
use parking_lot::Mutex;
use tokio::time::Instant;

use super::{args::ConnectArgs, failure::Failure, print};
use crate::{
    Channel, ChannelBuilder, Code, Codec, ConnectOptions, Context, Explanation, Fallback, Metadata,
    RouteState, Status, Target, context::Path, deadline, policy::Policy, service::BoxFuture,
    transport::Connected,
};

/// The ways to the peer that a command calls, among which its [`Channel`] chooses, the first preferred; and when all of it
/// must be over.
pub(super) struct Lanes {
    pub(super) channel: Channel,
    close: BoxFuture<()>,
    deadline: Option<Instant>,
    /// Whether there are several.
    has_fallback: bool,
    /// The targets, for messages.
    names: Vec<String>,
}

/// How long a connection may take to be made, and how long where there is another target to turn to.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
const CONNECT_TIMEOUT_BEFORE_FALLBACK: Duration = Duration::from_secs(2);

/// How many transports a channel has at most, which it may learn of only later.
const MOST_ATTEMPTS: u32 = 8;

/// How long a peer is waited for to learn that nothing more comes. It is told at once; the rest is for the
/// datagram that gets lost.
const CLOSE_TIMEOUT: Duration = Duration::from_millis(250);

impl Lanes {
    /// Ways to these targets. Nothing is dialled yet. Calls of the method at `told`, where there is one, say on stderr
    /// which target failed, why, and which is taken instead.
    pub(super) async fn open(
        targets: Vec<Target>,
        told: Option<&str>,
        args: &ConnectArgs,
    ) -> Result<Self, Failure> {
        Self::open_to(targets, false, told, args).await
    }

    /// The same, and where `discover` says so also over the transports that the first target's directory tells of.
    pub(super) async fn open_to(
        targets: Vec<Target>,
        discover: bool,
        told: Option<&str>,
        args: &ConnectArgs,
    ) -> Result<Self, Failure> {
        let count = if discover { usize::MAX } else { targets.len() };
        let options = options(args, count > 1);
        // A file that cannot be used is no failure of a call.
        options.check_ca_file().map_err(|status| Failure::other(status.message()))?;
        let names = targets.iter().map(ToString::to_string).collect();
        let mut builder = Channel::builder().options(options);
        let mut targets = targets.into_iter();
        if discover && let Some(first) = targets.next() {
            builder = builder.discover(first).learn_first();
        }
        builder = builder.targets(targets);
        if let Some(path) = told {
            builder = builder.on_fallback(teller(path.to_owned()));
        }
        let deadline = args.timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        match Self::over(builder, count, deadline).await {
            Ok(lanes) => Ok(Self { names, ..lanes }),
            Err(status) => Err(late(&names, status).into()),
        }
    }

    async fn over(builder: ChannelBuilder, count: usize, deadline: Option<Instant>) -> Result<Self, Status> {
        // Each target has its turn, and whoever gives one alone learns at once how that went.
        let attempts = u32::try_from(count).unwrap_or(u32::MAX).min(MOST_ATTEMPTS);
        let builder = builder.policy(Policy::default().max_attempts(attempts));
        let opened = deadline::bound(deadline, builder.open()).await?;
        let Connected { channel, close, .. } = opened;
        Ok(Self { channel, close, deadline, has_fallback: count > 1, names: Vec::new() })
    }

    /// How calls choose between the targets now.
    pub(super) fn explain(&self) -> Option<Explanation> {
        self.channel.explain()
    }

    /// The context of a call to this path, which may be made twice or not. Without a codec each target has its own.
    pub(super) fn context(
        &self,
        path: &str,
        metadata: &Metadata,
        codec: Option<Codec>,
        idempotent: bool,
    ) -> Context {
        Context {
            path: Path::Received(Bytes::copy_from_slice(path.as_bytes())),
            metadata: metadata.clone(),
            deadline: self.deadline,
            codec,
            idempotent,
            ..Context::new()
        }
    }

    /// The outcome of the call, unless all must be over before.
    pub(super) async fn in_time<T>(
        &self,
        call: impl Future<Output = Result<T, Status>>,
    ) -> Result<T, Status> {
        deadline::bound(self.deadline, call).await
    }

    /// Whether all of it must be over now.
    pub(super) fn is_over(&self) -> bool {
        self.deadline.is_some_and(|deadline| deadline <= Instant::now())
    }

    /// Whether the target cannot be asked at all, so that there is no point in asking it something else: it is not
    /// reached, or there is no time.
    pub(super) fn is_final(&self, status: &Status) -> bool {
        self.is_over() || (status.code() == Code::Unavailable && status.is_not_processed())
    }

    /// The status, which names the targets where the time for calling them is over.
    pub(super) fn named(&self, status: Status) -> Status {
        if self.is_over() { late(&self.names, status) } else { status }
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        self.deadline
    }

    pub(super) fn has_fallback(&self) -> bool {
        self.has_fallback
    }

    /// The transport of the target that answers now.
    pub(super) fn transport(&self) -> &'static str {
        let routes = self.explain().map(|told| told.routes).unwrap_or_default();
        let works = routes.iter().find(|route| route.state == RouteState::Closed);
        works.or(routes.first()).map_or("", |route| route.transport)
    }

    /// Lets the peer know that nothing more comes.
    pub(super) async fn close(self) {
        // It is told as far as it can be.
        let _ = tokio::time::timeout(CLOSE_TIMEOUT, self.close).await;
    }
}

/// The status of a call that was out of time, with the targets, which the deadline does not know.
fn late(names: &[String], status: Status) -> Status {
    let targets = names.join(" or ");
    if status.code() != Code::DeadlineExceeded || status.message().contains(&targets) {
        return status;
    }
    let message = format!("{targets}: {}", status.message());
    status.with_message(message)
}

/// Says on stderr how calls of this method fall back, each thing once.
fn teller(path: String) -> impl Fn(&Fallback<'_>) + Send + Sync {
    let said = Mutex::new(BTreeSet::new());
    move |fallback| {
        let line = fallback.to_string();
        let mut said = said.lock();
        if fallback.path == path && said.insert(line.clone()) {
            print::note(line);
        }
    }
}

/// How the targets are connected to.
fn options(args: &ConnectArgs, several: bool) -> ConnectOptions {
    let connect_timeout = if several { CONNECT_TIMEOUT_BEFORE_FALLBACK } else { CONNECT_TIMEOUT };
    // A foreign server may take pings for abuse, and a person who waits sees that nothing comes.
    let options = ConnectOptions::new().connect_timeout(connect_timeout).keep_alive_interval(None);
    match &args.ca {
        Some(file) => options.ca_file(file),
        None => options,
    }
}

#[cfg(test)]
#[cfg(feature = "grpc")]
impl Lanes {
    /// Ways to services of this process.
    pub(super) async fn in_process(services: impl IntoIterator<Item = Channel>) -> Self {
        let services = Vec::from_iter(services);
        let count = services.len();
        let builder = Channel::builder();
        let builder =
            services.into_iter().fold(builder, |builder, service| builder.connection("grpc", service));
        Self::over(builder, count, None).await.unwrap()
    }

    pub(super) fn within(self, timeout: Duration) -> Self {
        Self { deadline: Some(Instant::now() + timeout), ..self }
    }
}
