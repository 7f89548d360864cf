use std::path::PathBuf;

use super::{NodeError, Parts, Targets};
use crate::config;
use futures_util::future::BoxFuture;
use polywire_core::{Channel, Codec, ConnectOptions, Gateway, Limits, Target, transport::Connected};

/// Whom a node passes calls on to that none of its own services answers: see [`Gateway`] for what travels.
///
/// The node calls under its own identity, from what it has bound where a transport dials from that. Its health has
/// a component `target`, which fails while the target cannot be reached; its metrics count these calls under the
/// service `unknown`, for their names are the callers' choice.
///
/// ```no_run
/// # async fn show(target: polywire::Target) -> Result<(), polywire::NodeError> {
/// let gateway = polywire::Node::builder().upstream(polywire::Upstream::new(target)).bind().await?;
/// gateway.serve(std::future::pending()).await
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Upstream {
    targets: Vec<Target>,
    codecs: Vec<Codec>,
    options: ConnectOptions,
}

impl Upstream {
    /// Passes calls on to this target: in any codec, but in protobuf alone where that is the transport's own, as it
    /// is gRPC's, for hardly any server there takes another.
    pub fn new(target: Target) -> Self {
        let codecs = taken_by(&target);
        // What a call may weigh is up to the listener that it came in by.
        let limits =
            Limits { max_message_bytes: polywire_core::settings::MAX_MESSAGE_SIZE, ..Limits::default() };
        // A foreign server may take pings on silent streams for abuse; TCP's probes find out who is gone.
        let options = ConnectOptions::new().keep_alive_interval(None).limits(limits);
        Self { targets: vec![target], codecs, options }
    }

    /// Or over this target, which leads to the same peer: the node's `transport.strategy` chooses for each call, and
    /// a call that nobody has seen goes over the other. Only codecs that both take are passed on.
    #[must_use]
    pub fn or(mut self, target: Target) -> Self {
        let taken = taken_by(&target);
        self.codecs.retain(|codec| taken.contains(codec));
        self.targets.push(target);
        self
    }

    /// Passes calls on in these codecs and refuses those in others.
    #[must_use]
    pub fn codecs(mut self, codecs: impl IntoIterator<Item = Codec>) -> Self {
        self.codecs = codecs.into_iter().collect();
        self
    }

    /// As [`ConnectOptions::ca_file`].
    #[must_use]
    pub fn ca_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.options = self.options.ca_file(path);
        self
    }

    /// How its targets are connected to, but for what the node adds.
    pub(super) fn options(&self) -> &ConnectOptions {
        &self.options
    }

    /// The codecs that are passed on.
    pub(crate) fn passed_on(&self) -> &[Codec] {
        &self.codecs
    }

    /// Makes a way to the target that of the node's calls that nobody else answers, and the target a component of
    /// its health. Returns what leaves the target in an orderly manner.
    pub(super) async fn attach(
        self,
        parts: &Parts,
        own: &Targets,
        options: ConnectOptions,
    ) -> Result<BoxFuture<'static, ()>, NodeError> {
        let failed =
            |target: &Target, problem: String| NodeError::Upstream { target: target.to_string(), problem };
        let itself =
            |target: &&Target| own.transports.iter().any(|(_, own)| same_place(own, &target.to_string()));
        if let Some(itself) = self.targets.iter().find(itself) {
            return Err(failed(itself, "this is the node itself; expected another target".to_owned()));
        }
        let (gateway, close) = match self.targets.as_slice() {
            [target] => {
                let opened = target.open(&options).await;
                let Connected { channel, close, .. } =
                    opened.map_err(|status| failed(target, status.message().to_owned()))?;
                (Gateway::new(channel).over(target.transport()), close)
            }
            targets => {
                let builder = Channel::builder().options(options).policy(parts.policies.clone());
                let builder = builder.targets(targets.iter().cloned());
                let opened = builder.open().await;
                let Connected { channel, close, .. } =
                    opened.map_err(|status| failed(&targets[0], status.message().to_owned()))?;
                (Gateway::new(channel), close)
            }
        };
        // As much of the id as people compare.
        let name = own.node_id.chars().take(10).collect();
        let gateway = gateway.codecs(self.codecs.clone()).named(name);
        parts.router.set_fallback(gateway.clone());
        parts.health.register("target", move || {
            let gateway = gateway.clone();
            async move { gateway.check().await }
        });
        Ok(close)
    }
}

/// The codecs of calls that are passed on to this target.
fn taken_by(target: &Target) -> Vec<Codec> {
    match target.default_codec() {
        Codec::Protobuf => vec![Codec::Protobuf],
        other => vec![Codec::Protobuf, other],
    }
}

/// Whether two targets say the same but for hints on where to look, which are behind a `?`.
fn same_place(one: &str, other: &str) -> bool {
    one.split('?').next() == other.split('?').next()
}
