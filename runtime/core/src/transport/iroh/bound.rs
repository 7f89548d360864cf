use std::{io, net::SocketAddr, sync::Arc};

use ::iroh::{
    Endpoint, RelayMap, RelayMode, RelayUrl, SecretKey, TransportAddr,
    endpoint::{Builder, presets},
    tls::CaTlsConfig,
};

use super::{Alpns, Dialer, NAME, QuicProfile, ServeOptions, metrics::EndpointMetrics, serve::serve_known};
use crate::{
    ConnectOptions, Limits, settings,
    transport::{
        BindContext, BindError, Bound, Inbound, LiveTarget, Serving,
        net::{Authorities, reachable},
        udp_is_free,
    },
};

/// The endpoint of a node.
#[derive(Debug)]
pub struct Listening {
    endpoint: Endpoint,
    options: ServeOptions,
    relay: Option<RelayUrl>,
    dialer: Dialer,
}

pub(super) async fn bind(config: settings::Iroh, node: BindContext) -> Result<Listening, BindError> {
    let address = config.socket_addr();
    let keys = "transport.iroh.bind_address and transport.iroh.discovery_port";
    let refused = |reason: String| BindError::listen(keys, address, io::Error::other(reason));
    let profile = QuicProfile {
        max_concurrent_streams: config.max_concurrent_streams,
        idle_timeout: config.idle_timeout,
        keep_alive_interval: config.keep_alive_interval,
    };
    let alpns = Alpns::new(config.alpn_protocols.iter().cloned());
    let relay = config.home_relay.clone().map(RelayUrl::from);
    let authorities = relay_authorities(&config)?;
    let bind = |address: SocketAddr| {
        let builder = Endpoint::builder(presets::Minimal)
            .ca_tls_config(authorities.clone())
            .secret_key(SecretKey::from_bytes(node.secret_key()))
            .alpns(alpns.to_wire())
            .transport_config(profile.transport_config())
            // The relay may be out of reach: nothing waits for it.
            .relay_mode(
                relay.clone().map_or(RelayMode::Disabled, |relay| RelayMode::Custom(RelayMap::from(relay))),
            )
            .clear_ip_transports();
        async move { bind_at(builder, address).await }
    };
    let endpoint = node.bind(address, bind).await.map_err(refused)?;
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

/// What relays over https are trusted by.
fn relay_authorities(config: &settings::Iroh) -> Result<CaTlsConfig, BindError> {
    let public = CaTlsConfig::embedded();
    let Some(file) = &config.relay_ca_file else { return Ok(public) };
    let authorities = Authorities::read(file).map_err(|status| {
        BindError::Other(format!("transport.iroh.relay_ca_file: {}", status.message()).into())
    })?;
    Ok(public.with_extra_roots(authorities.certificates))
}

/// The endpoint on this address, and the address with the real port.
async fn bind_at(builder: Builder, address: SocketAddr) -> Result<(Endpoint, SocketAddr), String> {
    // iroh says that it cannot be bound once half of it is there, and complains of its own end.
    udp_is_free(address).map_err(|error| error.to_string())?;
    let builder = builder.bind_addr(address).map_err(|error| error.to_string())?;
    let endpoint = builder.bind().await.map_err(|error| format!("{error:#}"))?;
    let bound = endpoint.bound_sockets().first().copied().unwrap_or(address);
    Ok((endpoint, bound))
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
        self.options.gauge = serving.connections.clone();
        let known = self.dialer.known().clone();
        if let Some(observer) = &serving.observer {
            let metrics = EndpointMetrics::new(self.endpoint.clone(), known.clone());
            if let Err(error) = observer.collect(Box::new(metrics)) {
                tracing::warn!(%error, "the metrics of the endpoint cannot be shown");
            }
        }
        let inbound = Inbound::from(&serving);
        serve_known(self.endpoint.clone(), known, inbound, self.options, serving.drain).await;
        self.endpoint.close().await;
    }

    async fn close(self) {
        // One that is merely dropped says on the log that something is wrong.
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
    let mut query = form_urlencoded::Serializer::new(String::new());
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
