use super::{Identity, NodeError, Parts};
use crate::{Channel, Drain, config, service::BoxFuture};

/// A transport that has been bound and does not serve yet.
pub(super) trait Bound: Send {
    /// Its name in metrics and configuration.
    fn name(&self) -> &'static str;

    /// Where it is reached from this machine.
    fn target(&self) -> String;

    /// Serves until the drain is over, and then closes what it has bound.
    fn serve(self: Box<Self>, parts: &Parts, service: Channel, drain: Drain) -> BoxFuture<()>;
}

/// The transports of a node.
pub(super) struct Transports {
    pub(super) bound: Vec<Box<dyn Bound>>,
    #[cfg(feature = "iroh")]
    pub(super) dialer: Option<crate::iroh::Dialer>,
}

impl Transports {
    /// Binds what the configuration asks for. A peer that the node dials may be the node itself: `service`
    /// answers then.
    #[cfg_attr(not(feature = "iroh"), expect(unused_variables, reason = "only Iroh has an identity"))]
    pub(super) async fn bind(
        config: &config::Transport,
        identity: &Identity,
        service: &Channel,
    ) -> Result<Self, NodeError> {
        #[cfg_attr(
            not(any(feature = "grpc", feature = "iroh")),
            expect(unused_mut, reason = "nothing is built in")
        )]
        let mut bound: Vec<Box<dyn Bound>> = Vec::new();
        if config.serves_grpc() {
            #[cfg(feature = "grpc")]
            bound.push(Box::new(super::grpc::Grpc::bind(&config.grpc).await?));
            #[cfg(not(feature = "grpc"))]
            return Err(NodeError::NotBuiltIn("grpc"));
        }
        #[cfg(feature = "iroh")]
        let mut dialer = None;
        if config.serves_iroh() {
            #[cfg(feature = "iroh")]
            {
                let iroh = super::iroh::Iroh::bind(&config.iroh, identity.secret_key().clone()).await?;
                dialer = Some(iroh.dialer().own_service(service.clone()));
                bound.push(Box::new(iroh));
            }
            #[cfg(not(feature = "iroh"))]
            return Err(NodeError::NotBuiltIn("iroh"));
        }
        if bound.is_empty() {
            return Err(NodeError::NoTransport);
        }
        Ok(Self {
            bound,
            #[cfg(feature = "iroh")]
            dialer,
        })
    }
}
