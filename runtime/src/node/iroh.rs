use std::sync::Arc;

use ::iroh::{Endpoint, RelayMap, RelayMode, RelayUrl, SecretKey, TransportAddr, endpoint::presets};

use super::{NodeError, Parts, targets::reachable, transports::Bound};
use crate::{
    Channel, Codec, Drain, Limits, config,
    iroh::{Alpns, Dialer, NAME, QuicProfile, ServeOptions, serve},
    metrics::Side,
    service::BoxFuture,
};

/// The Iroh side of a node: bound, and not yet serving.
pub(super) struct Iroh {
    endpoint: Endpoint,
    options: ServeOptions,
    target: String,
    profile: QuicProfile,
    codec: Codec,
    connect_timeout: std::time::Duration,
}

impl Iroh {
    pub(super) async fn bind(config: &config::Iroh, key: SecretKey) -> Result<Self, NodeError> {
        let address = config.socket_addr();
        let refused = |reason: String| NodeError::Endpoint { address, reason };
        let profile = QuicProfile {
            max_concurrent_streams: config.max_concurrent_streams,
            idle_timeout: config.idle_timeout,
            keep_alive_interval: config.keep_alive_interval,
        };
        let alpns = Alpns::new(config.alpn_protocols.iter().cloned());
        let relay = config.home_relay.clone().map(RelayUrl::from);
        let endpoint = Endpoint::builder(presets::Minimal)
            .secret_key(key)
            .alpns(alpns.to_wire())
            .transport_config(profile.transport_config())
            // The relay may be out of reach: nothing waits for it.
            .relay_mode(
                relay.clone().map_or(RelayMode::Disabled, |relay| RelayMode::Custom(RelayMap::from(relay))),
            )
            .clear_ip_transports()
            .bind_addr(address)
            .map_err(|error| refused(error.to_string()))?
            .bind()
            .await
            .map_err(|error| refused(format!("{error:#}")))?;
        let target = target(&endpoint, relay);
        let limits = Limits {
            max_message_bytes: config.max_message_size,
            message_timeout: config.message_timeout,
            ..Limits::default()
        };
        let max_connections = config.max_connections as usize;
        let options = ServeOptions { alpns, limits, max_connections, ..ServeOptions::default() };
        Ok(Self {
            endpoint,
            options,
            target,
            profile,
            codec: config.codec,
            connect_timeout: config.connect_timeout,
        })
    }

    /// What the node itself dials peers with.
    pub(super) fn dialer(&self) -> Dialer {
        Dialer::new(self.endpoint.clone())
            .codec(self.codec)
            .limits(self.options.limits.clone())
            .profile(self.profile.clone())
            .connect_timeout(self.connect_timeout)
    }
}

impl Bound for Iroh {
    fn name(&self) -> &'static str {
        NAME
    }

    fn target(&self) -> String {
        self.target.clone()
    }

    fn serve(mut self: Box<Self>, parts: &Parts, service: Channel, drain: Drain) -> BoxFuture<()> {
        self.options.gauge = Some(Arc::new(parts.metrics.connections(NAME, Side::Server)));
        Box::pin(async move {
            serve(self.endpoint.clone(), service, self.options, drain).await;
            self.endpoint.close().await;
        })
    }
}

/// The endpoint as a target that works from this machine, whether or not the relay can be reached.
fn target(endpoint: &Endpoint, relay: Option<RelayUrl>) -> String {
    let mut addresses: Vec<_> = endpoint.bound_sockets().into_iter().map(reachable).collect();
    for address in endpoint.addr().addrs {
        if let TransportAddr::Ip(address) = address
            && !addresses.contains(&address)
        {
            addresses.push(address);
        }
    }
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    for address in addresses {
        query.append_pair("addr", &address.to_string());
    }
    if let Some(relay) = relay {
        query.append_pair("relay", relay.as_str());
    }
    // Colons and brackets mean nothing in a query, and the target is for people too.
    let query =
        query.finish().replace("%3A", ":").replace("%2F", "/").replace("%5B", "[").replace("%5D", "]");
    format!("iroh://{}?{query}", endpoint.id())
}
