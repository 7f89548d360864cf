use std::path::PathBuf;

use super::{NodeError, Parts, Targets};
use crate::{
    Codec, ConnectOptions, Gateway, Limits, Target, config, service::BoxFuture, transport::Connected,
};

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
    target: Target,
    codecs: Vec<Codec>,
    options: ConnectOptions,
}

impl Upstream {
    /// Passes calls on to this target: in any codec, but in protobuf alone where that is the transport's own, as it
    /// is gRPC's, for hardly any server there takes another.
    pub fn new(target: Target) -> Self {
        let codecs = match target.default_codec() {
            Codec::Protobuf => vec![Codec::Protobuf],
            Codec::MessagePack => vec![Codec::Protobuf, Codec::MessagePack],
        };
        // What a call may weigh is up to the listener that it came in by.
        let limits = Limits { max_message_bytes: config::MAX_MESSAGE_SIZE, ..Limits::default() };
        // A foreign server may take pings on silent streams for abuse; TCP's probes find out who is gone.
        let options = ConnectOptions::new().keep_alive_interval(None).limits(limits);
        Self { target, codecs, options }
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
        complete: impl Fn(ConnectOptions) -> ConnectOptions,
    ) -> Result<BoxFuture<()>, NodeError> {
        let failed = |problem: String| NodeError::Upstream { target: self.target.to_string(), problem };
        if own.transports.iter().any(|(_, own)| same_place(own, &self.target.to_string())) {
            return Err(failed("this is the node itself; expected another target".to_owned()));
        }
        let opened = self.target.open(&complete(self.options.clone())).await;
        let Connected { channel, close, .. } =
            opened.map_err(|status| failed(status.message().to_owned()))?;
        let gateway = Gateway::new(channel).codecs(self.codecs.clone()).over(self.target.transport());
        parts.router.set_fallback(gateway.clone());
        parts.health.register("target", move || {
            let gateway = gateway.clone();
            async move { gateway.check().await }
        });
        Ok(close)
    }
}

/// Whether two targets say the same but for hints on where to look, which are behind a `?`.
fn same_place(one: &str, other: &str) -> bool {
    one.split('?').next() == other.split('?').next()
}
