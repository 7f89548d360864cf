use std::path::PathBuf;

use super::{NodeError, Parts, Targets};
use futures_util::future::BoxFuture;
use polywire_core::{Channel, Codec, ConnectOptions, Gateway, Limits, Target, transport::Connected};

/// The peer to which a node forwards calls of services that it does not have. See [`Gateway`] for the forwarded parts of a
/// call.
///
/// The node calls with its own identity and from its bound endpoints, if the transport supports that. Its health has a
/// component `target`, which fails while the target is unreachable. Its metrics count these calls under the service
/// `unknown`, as callers choose their names.
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
    /// Forwards calls to this target. A target whose transport defaults to protobuf, such as gRPC, gets protobuf alone, as
    /// few servers there accept another codec; other targets get any codec.
    pub fn new(target: Target) -> Self {
        let codecs = taken_by(&target);
        // The listener limits the size of messages.
        let limits =
            Limits { max_message_bytes: polywire_core::settings::MAX_MESSAGE_SIZE, ..Limits::default() };
        // Some servers treat pings on idle streams as abuse; TCP keep-alive detects dead peers.
        let options = ConnectOptions::new().keep_alive_interval(None).limits(limits);
        Self { targets: vec![target], codecs, options }
    }

    /// Adds another target of the same peer. The node's `transport.strategy` chooses for each call, and calls that were
    /// not processed fall back to the other target. Only codecs that all targets accept are forwarded.
    #[must_use]
    pub fn or(mut self, target: Target) -> Self {
        let taken = taken_by(&target);
        self.codecs.retain(|codec| taken.contains(codec));
        self.targets.push(target);
        self
    }

    /// Forwards calls in these codecs and refuses others.
    #[must_use]
    pub fn codecs(mut self, codecs: impl IntoIterator<Item = Codec>) -> Self {
        self.codecs = codecs.into_iter().collect();
        self
    }

    /// Sets the certificate authorities to trust, as [`ConnectOptions::ca_file`] does.
    #[must_use]
    pub fn ca_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.options = self.options.ca_file(path);
        self
    }

    /// The options of connecting, without those that the node adds.
    pub(super) fn options(&self) -> &ConnectOptions {
        &self.options
    }

    /// The codecs to forward.
    pub(crate) fn passed_on(&self) -> &[Codec] {
        &self.codecs
    }

    /// Makes the targets the fallback of the node's router and a component of its health. Returns a future that closes the
    /// connections.
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
            return Err(failed(itself, "the target is this node itself; expected another target".to_owned()));
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
        // The first characters of the id are enough for people.
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

/// The codecs that this target accepts.
fn taken_by(target: &Target) -> Vec<Codec> {
    match target.default_codec() {
        Codec::Protobuf => vec![Codec::Protobuf],
        other => vec![Codec::Protobuf, other],
    }
}

/// Whether two targets are equal, apart from address hints behind a `?`.
fn same_place(one: &str, other: &str) -> bool {
    one.split('?').next() == other.split('?').next()
}
