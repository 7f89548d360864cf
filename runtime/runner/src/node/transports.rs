use std::sync::Arc;

use super::{
    Exposure, NodeError, Parts,
    exposed::{Admitting, Exposed},
};
use crate::{
    config,
    metrics::Side,
    transports::{self, DynBound},
};
use futures_util::future::BoxFuture;
use polywire_core::{
    __runner::{Descriptors, Ports},
    Channel, ConnectOptions, Drain,
    transport::{BindContext, LiveTarget, Serving},
};

/// The bound transports of a node, before they serve.
pub(super) struct Transports(Vec<(&'static str, Box<dyn DynBound>)>);

/// The transports that the configuration's mode controls.
const OF_MODE: [&str; 2] = ["grpc", "iroh"];

impl Transports {
    /// Binds the enabled transports one after the other. If one fails, the bound ones are closed.
    pub(super) async fn bind(
        config: &config::Transport,
        node: &BindContext,
        ports: &Ports,
    ) -> Result<Self, NodeError> {
        let missing = |name: &&str| config.serves(name) && transports::named(name).is_none();
        if let Some(missing) = OF_MODE.into_iter().find(missing) {
            return Err(NodeError::NotBuiltIn(missing));
        }
        let mut bound = Self(Vec::new());
        for transport in transports::all() {
            let name = transport.dyn_name();
            if config.serves(name) {
                match transport.dyn_bind(config.section(name), node.of(name, ports)).await {
                    Ok(one) => bound.0.push((name, one)),
                    Err(source) => {
                        bound.close().await;
                        return Err(NodeError::Bind { transport: name, source });
                    }
                }
            }
        }
        if bound.0.is_empty() {
            return Err(NodeError::NoTransport);
        }
        Ok(bound)
    }

    /// Closes all transports.
    pub(super) async fn close(self) {
        futures_util::future::join_all(self.0.into_iter().map(|(_, bound)| bound.dyn_close())).await;
    }

    /// The targets.
    pub(super) fn targets(&self) -> Vec<(&'static str, String)> {
        self.0.iter().map(|(name, bound)| (*name, bound.dyn_target())).collect()
    }

    /// Functions that return the current targets.
    pub(super) fn live_targets(&self) -> Vec<(&'static str, LiveTarget)> {
        self.0.iter().map(|(name, bound)| (*name, bound.dyn_live_target())).collect()
    }

    /// The ALPN protocols of each transport.
    pub(super) fn alpns(&self) -> Vec<(&'static str, Vec<String>)> {
        self.0.iter().map(|(name, bound)| (*name, bound.dyn_alpns())).collect()
    }

    /// The options, completed for calls from the bound transports.
    pub(super) fn connect_options(&self, options: ConnectOptions) -> ConnectOptions {
        self.0.iter().fold(options, |options, (_, bound)| bound.dyn_connect_options(options))
    }

    /// The futures that serve each transport until its drain is over.
    pub(super) fn serve(
        self,
        parts: &Parts,
        service: &Channel,
        drain: &Drain,
        descriptors: &Descriptors,
    ) -> impl Iterator<Item = (&'static str, BoxFuture<'static, ()>)> {
        let serve = |(name, bound): (&'static str, Box<dyn DynBound>)| {
            let exposed = Exposed {
                service: service.clone(),
                exposure: parts.exposure.clone(),
                tokens: parts.tokens.clone(),
                transport: name,
            };
            let admitting = Admitting::new(exposed, &parts.access, Arc::new(parts.metrics.clone()));
            let serving = Serving::new(admitting, drain.clone())
                .connections(Arc::new(parts.metrics.connections(name, Side::Server)))
                .checks(Arc::new(parts.health.clone()))
                .observer(Arc::new(parts.metrics.clone()))
                .access(parts.access.clone())
                .within(descriptors.clone());
            (name, bound.dyn_serve(serving))
        };
        self.0.into_iter().map(serve)
    }
}

/// The transports that serve each service with this configuration.
pub(super) fn exposure(config: &config::Transport) -> Exposure {
    let known = transports::all().into_iter().map(|transport| transport.dyn_name());
    let serving = known.filter(|name| config.serves(name)).collect();
    Exposure::new(serving, config.strategy.retired_on_grpc.clone())
}
