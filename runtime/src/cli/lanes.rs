use std::{
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use bytes::Bytes;
use tokio::time::Instant;

use super::{args::ConnectArgs, failure::Failure};
use crate::{
    Channel, Code, Codec, ConnectOptions, Context, Explanation, Metadata, Status, Target, context::Path,
    deadline, transport::Connected,
};

/// The targets that a command may call, the wanted one first, and when all of it must be over.
pub(super) struct Lanes {
    lanes: Vec<Lane>,
    /// Those before this one could not be reached; they are not tried again.
    first: AtomicUsize,
    deadline: Option<Instant>,
    /// Whether calls may be made again.
    repeats: bool,
}

/// One of them.
pub(super) struct Lane {
    pub(super) target: Target,
    pub(super) channel: Channel,
    pub(super) codec: Codec,
    close: crate::service::BoxFuture<()>,
}

/// What a failure on one target must be like for the next to be tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Repeat {
    /// Certainly not processed.
    IfNotProcessed,
    /// That, or unavailable: the call may be made twice.
    Idempotent,
    /// Unavailable alone: any answer will do, also that there is none.
    IfUnavailable,
}

/// How long a connection may take to be made, and how long where there is another target to turn to.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
const CONNECT_TIMEOUT_BEFORE_FALLBACK: Duration = Duration::from_secs(2);

/// How long a peer is waited for to learn that nothing more comes. It is told at once; the rest is for the
/// datagram that gets lost.
const CLOSE_TIMEOUT: Duration = Duration::from_millis(250);

impl Lanes {
    /// Ways to these targets. Nothing is dialled yet.
    pub(super) async fn open(
        targets: impl IntoIterator<Item = Target>,
        codec: Option<Codec>,
        args: &ConnectArgs,
    ) -> Result<Self, Failure> {
        let targets = Vec::from_iter(targets);
        let options = options(args, targets.len() > 1);
        let mut lanes = Vec::new();
        for target in targets {
            let Connected { channel, close, .. } = target.open(&options).await.map_err(Failure::other)?;
            let codec = codec.unwrap_or_else(|| target.default_codec());
            lanes.push(Lane { target, channel, codec, close });
        }
        let repeats = lanes.len() > 1;
        Ok(Self { lanes, first: AtomicUsize::new(0), deadline: deadline_of(args), repeats })
    }

    /// One way to these targets, which chooses between them as a node's clients do. Nothing is dialled yet.
    pub(super) async fn choosing(
        targets: Vec<Target>,
        codec: Option<Codec>,
        args: &ConnectArgs,
    ) -> Result<Self, Failure> {
        let repeats = targets.len() > 1;
        let builder = Channel::builder().options(options(args, repeats)).targets(targets.iter().cloned());
        let channel = builder.connect().await.map_err(Failure::other)?;
        // What one of them takes by default, all of ours take, and a foreign server takes nothing else.
        let protobuf = targets.iter().any(|target| target.default_codec() == Codec::Protobuf);
        let codec = codec.unwrap_or(if protobuf { Codec::Protobuf } else { Codec::MessagePack });
        let target =
            targets.into_iter().next().ok_or_else(|| Failure::usage("no target to call".to_owned()))?;
        let lane = Lane { target, channel, codec, close: Box::pin(std::future::ready(())) };
        Ok(Self { lanes: vec![lane], first: AtomicUsize::new(0), deadline: deadline_of(args), repeats })
    }

    /// How calls choose between the targets now, where they do.
    pub(super) fn explain(&self) -> Option<Explanation> {
        self.lanes[0].channel.explain()
    }

    /// Makes the attempt on one target after the other, for as long as their failures allow it. All of
    /// it is bounded by the deadline.
    pub(super) async fn attempt<T>(
        &self,
        repeat: Repeat,
        attempt: impl AsyncFn(&Lane) -> Result<T, Status>,
    ) -> Result<T, Status> {
        let mut index = self.first.load(Ordering::Relaxed);
        loop {
            let lane = &self.lanes[index];
            let status = match deadline::bound(self.deadline, attempt(lane)).await {
                Err(status) if repeat.allows(&status) && index + 1 < self.lanes.len() => status,
                outcome => return outcome,
            };
            index += 1;
            eprintln!("{} failed ({status}); falling back to {}", lane.target, self.lanes[index].target);
            if status.code() == Code::Unavailable {
                self.first.store(index, Ordering::Relaxed);
            }
        }
    }

    /// The context of a call to this path, which may be made twice or not.
    pub(super) fn context(&self, path: &str, metadata: &Metadata, codec: Codec, idempotent: bool) -> Context {
        Context {
            path: Path::Received(Bytes::copy_from_slice(path.as_bytes())),
            metadata: metadata.clone(),
            deadline: self.deadline,
            codec: Some(codec),
            idempotent,
            ..Context::new()
        }
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        self.deadline
    }

    pub(super) fn has_fallback(&self) -> bool {
        self.repeats
    }

    /// The transport of the target that answers now.
    pub(super) fn transport(&self) -> &'static str {
        self.lanes[self.first.load(Ordering::Relaxed)].target.transport()
    }

    /// Lets the peers know that nothing more comes.
    pub(super) async fn close(self) {
        let closing = self.lanes.into_iter().map(|lane| lane.close);
        // They are told as far as they can be.
        let _ = tokio::time::timeout(CLOSE_TIMEOUT, futures_util::future::join_all(closing)).await;
    }
}

/// How the targets are connected to.
fn options(args: &ConnectArgs, several: bool) -> ConnectOptions {
    let mut connect_timeout = CONNECT_TIMEOUT;
    if several {
        let half = args.timeout.map_or(Duration::MAX, |timeout| timeout / 2);
        connect_timeout = CONNECT_TIMEOUT_BEFORE_FALLBACK.min(half);
    }
    // A foreign server may take pings for abuse, and a person who waits sees that nothing comes.
    let options = ConnectOptions::new().connect_timeout(connect_timeout).keep_alive_interval(None);
    match &args.ca {
        Some(file) => options.ca_file(file),
        None => options,
    }
}

fn deadline_of(args: &ConnectArgs) -> Option<Instant> {
    args.timeout.and_then(|timeout| Instant::now().checked_add(timeout))
}

impl Repeat {
    fn allows(self, status: &Status) -> bool {
        let unavailable = status.code() == Code::Unavailable;
        match self {
            Self::IfNotProcessed => status.is_not_processed(),
            Self::Idempotent => unavailable || status.is_not_processed(),
            Self::IfUnavailable => unavailable,
        }
    }
}

#[cfg(test)]
#[cfg(feature = "grpc")]
impl Lanes {
    /// Ways to services of this process, under a name each.
    pub(super) fn in_process(services: impl IntoIterator<Item = (Target, Channel)>) -> Self {
        let lanes = services.into_iter().map(|(target, channel)| Lane {
            codec: target.default_codec(),
            target,
            channel,
            close: Box::pin(async {}),
        });
        let lanes: Vec<_> = lanes.collect();
        let repeats = lanes.len() > 1;
        Self { lanes, first: AtomicUsize::new(0), deadline: None, repeats }
    }

    pub(super) fn within(self, timeout: Duration) -> Self {
        Self { deadline: Some(Instant::now() + timeout), ..self }
    }
}

#[cfg(test)]
#[cfg(feature = "grpc")]
mod tests {
    use super::*;
    use crate::Router;

    fn two() -> Lanes {
        let target = |port: u16| format!("grpc://127.0.0.1:{port}").parse().unwrap();
        Lanes::in_process([1, 2].map(|port| (target(port), Channel::new(Router::new()))))
    }

    /// Which targets are tried when the first fails so.
    async fn tried(lanes: &Lanes, repeat: Repeat, failure: Status) -> Vec<String> {
        let tried = std::sync::Mutex::new(Vec::new());
        let _ = lanes
            .attempt(repeat, async |lane| {
                let mut tried = tried.lock().unwrap();
                tried.push(lane.target.to_string().split_off("grpc://127.0.0.1:".len()));
                if tried.len() == 1 { Err(failure.clone()) } else { Ok(()) }
            })
            .await;
        tried.into_inner().unwrap()
    }

    #[tokio::test]
    async fn another_target_is_tried_only_where_that_is_safe() {
        let refused = || Status::unimplemented("").not_processed();
        let cases = [
            (Repeat::IfNotProcessed, refused(), true),
            (Repeat::IfNotProcessed, Status::unavailable(""), false),
            (Repeat::IfNotProcessed, Status::internal(""), false),
            (Repeat::Idempotent, refused(), true),
            (Repeat::Idempotent, Status::unavailable(""), true),
            (Repeat::Idempotent, Status::not_found(""), false),
            (Repeat::IfUnavailable, refused(), false),
            (Repeat::IfUnavailable, Status::unavailable("").not_processed(), true),
        ];
        for (repeat, failure, again) in cases {
            let expected = if again { ["1", "2"].as_slice() } else { &["1"] };
            assert_eq!(tried(&two(), repeat, failure.clone()).await, expected, "{repeat:?} {failure:?}");
        }
    }

    #[tokio::test]
    async fn a_target_that_cannot_be_reached_is_not_tried_again() {
        let lanes = two();
        tried(&lanes, Repeat::IfUnavailable, Status::unavailable("")).await;
        assert_eq!(tried(&lanes, Repeat::IfUnavailable, Status::internal("")).await, ["2"]);
    }

    #[tokio::test]
    async fn a_target_that_refused_one_call_is_tried_with_the_next() {
        let lanes = two();
        tried(&lanes, Repeat::IfNotProcessed, Status::unimplemented("").not_processed()).await;
        assert_eq!(tried(&lanes, Repeat::IfUnavailable, Status::internal("")).await, ["1"]);
    }
}
