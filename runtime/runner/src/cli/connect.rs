use std::{collections::BTreeSet, future::Future, time::Duration};

use bytes::Bytes;
use parking_lot::Mutex;
use tokio::time::Instant;

use super::{args::ConnectArgs, failure::Failure, print};
use futures_util::future::BoxFuture;
use polywire_core::{
    __runner::{Path, deadline},
    Channel, ChannelBuilder, Code, Codec, ConnectOptions, Context, Explanation, Fallback, Metadata, Status,
    SubchannelState, Target,
    policy::Policy,
    transport::Connected,
};

/// A client's channel to the targets of a command, the first preferred, and the deadline of the whole command.
pub(super) struct Client {
    pub(super) channel: Channel,
    close: BoxFuture<'static, ()>,
    deadline: Option<Instant>,
    /// Whether there are several targets.
    has_fallback: bool,
    /// The targets, for error texts.
    names: Vec<String>,
}

/// The timeout of connecting, and the shorter one if there are other targets.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
const CONNECT_TIMEOUT_BEFORE_FALLBACK: Duration = Duration::from_secs(2);

/// The most attempts of a call: the number of transports, which a channel may learn of later.
const MOST_ATTEMPTS: u32 = 8;

/// The timeout of closing. The peer is told at once; the rest is for retransmission of a lost datagram.
const CLOSE_TIMEOUT: Duration = Duration::from_millis(250);

impl Client {
    /// A channel to these targets, which dials nothing yet. Calls of the method at `told`, if given, report fallbacks on
    /// stderr: the failed target, the reason and the next target.
    pub(super) async fn open(
        targets: Vec<Target>,
        told: Option<&str>,
        args: &ConnectArgs,
    ) -> Result<Self, Failure> {
        Self::open_to(targets, false, told, args).await
    }

    /// The same; with `discover`, also over the transports that the first target's directory lists.
    pub(super) async fn open_to(
        targets: Vec<Target>,
        discover: bool,
        told: Option<&str>,
        args: &ConnectArgs,
    ) -> Result<Self, Failure> {
        let count = if discover { usize::MAX } else { targets.len() };
        // An unusable file is not the failure of a call.
        let options = options(args, count > 1)?;
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
            Ok(client) => Ok(Self { names, ..client }),
            Err(status) => Err(late(&names, status).into()),
        }
    }

    async fn over(builder: ChannelBuilder, count: usize, deadline: Option<Instant>) -> Result<Self, Status> {
        // One attempt per target, so that a single target reports its failure at once.
        let attempts = u32::try_from(count).unwrap_or(u32::MAX).min(MOST_ATTEMPTS);
        let builder = builder.policy(Policy::default().max_attempts(attempts));
        let opened = deadline::bound(deadline, builder.open()).await?;
        let Connected { channel, close, .. } = opened;
        Ok(Self { channel, close, deadline, has_fallback: count > 1, names: Vec::new() })
    }

    /// How calls choose among the targets now.
    pub(super) fn explain(&self) -> Option<Explanation> {
        self.channel.explain()
    }

    /// The context of a call to this path. Without a codec, each target uses its default.
    pub(super) fn context(
        &self,
        path: &str,
        metadata: &Metadata,
        codec: Option<Codec>,
        idempotent: bool,
    ) -> Context {
        let path = Path::Received(Bytes::copy_from_slice(path.as_bytes()));
        let mut cx = Context::new().to(path, idempotent).with_deadline(self.deadline);
        *cx.metadata_mut() = metadata.clone();
        match codec {
            Some(codec) => cx.with_codec(codec),
            None => cx,
        }
    }

    /// The outcome of the call, or `DeadlineExceeded` at the deadline of the command.
    pub(super) async fn in_time<T>(
        &self,
        call: impl Future<Output = Result<T, Status>>,
    ) -> Result<T, Status> {
        deadline::bound(self.deadline, call).await
    }

    /// Whether the deadline has passed.
    pub(super) fn is_over(&self) -> bool {
        self.deadline.is_some_and(|deadline| deadline <= Instant::now())
    }

    /// Whether further calls are pointless: the target is unreachable or the deadline has passed.
    pub(super) fn is_final(&self, status: &Status) -> bool {
        self.is_over() || (status.code() == Code::Unavailable && status.is_not_processed())
    }

    /// The status; it names the targets if the deadline has passed.
    pub(super) fn named(&self, status: Status) -> Status {
        if self.is_over() { late(&self.names, status) } else { status }
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        self.deadline
    }

    pub(super) fn has_fallback(&self) -> bool {
        self.has_fallback
    }

    /// The transport of the target in use.
    pub(super) fn transport(&self) -> &'static str {
        let routes = self.explain().map(|told| told.subchannels).unwrap_or_default();
        let works = routes.iter().find(|route| route.state == SubchannelState::Closed);
        works.or(routes.first()).map_or("", |route| route.transport)
    }

    /// Closes the connections in an orderly manner.
    pub(super) async fn close(self) {
        // Best effort.
        let _ = tokio::time::timeout(CLOSE_TIMEOUT, self.close).await;
    }
}

/// Adds the targets to a `DeadlineExceeded`, as the deadline does not know them.
fn late(names: &[String], status: Status) -> Status {
    let targets = names.join(" or ");
    if status.code() != Code::DeadlineExceeded || status.message().contains(&targets) {
        return status;
    }
    let message = format!("{targets}: {}", status.message());
    status.with_message(message)
}

/// Reports the fallbacks of this method's calls on stderr, each once.
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

/// The options of connecting.
fn options(args: &ConnectArgs, several: bool) -> Result<ConnectOptions, Failure> {
    let connect_timeout = if several { CONNECT_TIMEOUT_BEFORE_FALLBACK } else { CONNECT_TIMEOUT };
    // Some servers treat pings as abuse, and a person at the terminal notices a dead connection.
    let options = ConnectOptions::new().connect_timeout(connect_timeout).keep_alive_interval(None);
    args.caller.adapt(options).map_err(Failure::Other)
}

#[cfg(test)]
#[cfg(feature = "grpc")]
impl Client {
    /// A channel to services of this process.
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
