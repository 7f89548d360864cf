use std::sync::Arc;

use ::iroh::{Endpoint, RelayMap, RelayMode, RelayUrl, SecretKey, TransportAddr, endpoint::presets};

use super::{Alpns, Dialer, NAME, QuicProfile, ServeOptions, metrics::EndpointCollector, serve::serve_known};
use crate::{
    ConnectOptions, Limits, config,
    net::reachable,
    transport::{Arrivals, BindContext, BindError, Bound, LiveTarget, Serving},
};

/// The endpoint of a node.
#[derive(Debug)]
pub struct Listening {
    endpoint: Endpoint,
    options: ServeOptions,
    relay: Option<RelayUrl>,
    dialer: Dialer,
}

pub(super) async fn bind(config: config::Iroh, node: BindContext) -> Result<Listening, BindError> {
    let address = config.socket_addr();
    let refused = |reason: String| {
        BindError::Other(
            format!("the endpoint on {address} cannot be made (transport.iroh): {reason}").into(),
        )
    };
    let profile = QuicProfile {
        max_concurrent_streams: config.max_concurrent_streams,
        idle_timeout: config.idle_timeout,
        keep_alive_interval: config.keep_alive_interval,
    };
    let alpns = Alpns::new(config.alpn_protocols.iter().cloned());
    let relay = config.home_relay.clone().map(RelayUrl::from);
    let endpoint = Endpoint::builder(presets::Minimal)
        .secret_key(SecretKey::from_bytes(node.secret_key()))
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
    let limits = Limits {
        max_message_bytes: config.max_message_size,
        message_timeout: config.message_timeout,
        ..Limits::default()
    };
    let max_connections = config.max_connections as usize;
    let options = ServeOptions { alpns, limits, max_connections, ..ServeOptions::default() };
    let dialer = Dialer::new(endpoint.clone())
        .codec(config.codec)
        .limits(options.limits.clone())
        .profile(profile)
        .connect_timeout(config.connect_timeout)
        .own_service(node.service().clone());
    Ok(Listening { endpoint, options, relay, dialer })
}

impl Bound for Listening {
    fn target(&self) -> String {
        target(&self.endpoint, self.relay.as_ref())
    }

    fn live_target(&self) -> LiveTarget {
        let (endpoint, relay) = (self.endpoint.clone(), self.relay.clone());
        Arc::new(move || target(&endpoint, relay.as_ref()))
    }

    fn alpns(&self) -> Vec<String> {
        self.options.alpns.to_string().split(' ').map(str::to_owned).collect()
    }

    fn connect_options(&self, options: ConnectOptions) -> ConnectOptions {
        let dialer = self.dialer.clone();
        let dialer = match options.gauge(NAME) {
            Some(gauge) => dialer.gauge(gauge),
            None => dialer,
        };
        options.with(dialer)
    }

    async fn serve(mut self, serving: Serving) {
        self.options.gauge = serving.connections;
        let known = self.dialer.known().clone();
        if let Some(metrics) = &serving.metrics {
            let collector = EndpointCollector::new(self.endpoint.clone(), known.clone());
            let added = collector.and_then(|collector| metrics.add_collector(Box::new(collector)));
            if let Err(error) = added {
                tracing::warn!(%error, "the metrics of the endpoint cannot be shown");
            }
        }
        let Serving { service, drain, metrics, .. } = serving;
        let arrivals = Arrivals::new(metrics, &service);
        serve_known(self.endpoint.clone(), known, service, self.options, arrivals, drain).await;
        self.endpoint.close().await;
    }
}

/// The endpoint as a target that works from this machine, whether or not the relay can be reached.
fn target(endpoint: &Endpoint, relay: Option<&RelayUrl>) -> String {
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
