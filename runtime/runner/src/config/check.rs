//! Checks of single keys and between keys.

use super::{
    Config, Grpc, Iroh, Mode, RaftTransport, Transport, access, error::ConfigError, explain::show,
    finding::Finding, jwt, registered,
};
use crate::transports;
use polywire_core::settings::Section as _;
use polywire_core::{AlpnName, ServiceInfo};
use std::collections::BTreeSet;
use toml::{Table, Value};
use tracing_subscriber::EnvFilter;
use url::Url;

impl Config {
    /// Checks a configuration that a program created, as [`Loader::load`](super::Loader::load) does for a loaded one.
    ///
    /// # Errors
    /// All values out of range and all contradictions between keys.
    pub fn check(&self) -> Result<(), ConfigError> {
        let found = errors(self);
        if found.is_empty() {
            return Ok(());
        }
        Err(ConfigError::new(found.into_iter().map(Finding::unplaced).collect()))
    }

    /// Checks that the rules of access name services and methods of a node with these services.
    ///
    /// # Errors
    /// All names that are not of them.
    pub fn check_access(&self, services: &[ServiceInfo]) -> Result<(), ConfigError> {
        let found = access::unknown(&self.access, services);
        if found.is_empty() {
            return Ok(());
        }
        Err(ConfigError::new(found.into_iter().map(Finding::unplaced).collect()))
    }
}

/// All faults that make the configuration unusable.
pub(super) fn errors(config: &Config) -> Vec<Finding> {
    let mut found = out_of_range(config);
    found.extend(filter("log.filter", &config.log.filter));
    found.extend(filter("telemetry.filter", &config.telemetry.filter));
    let collector = collector(config.telemetry.otlp_endpoint.as_ref());
    found.extend(collector.filter(|collector| !found.iter().any(|fault| collector.names_key_of(fault))));
    found.extend(access::malformed(&config.access));
    found.extend(jwt::malformed(&config.access.jwt));
    found.extend(repeated_alpn(&config.transport.iroh.alpn_protocols));
    let contradictions: Vec<Finding> = contradictions(config)
        .into_iter()
        // An invalid value contradicts nothing.
        .filter(|contradiction| !found.iter().any(|fault| contradiction.names_key_of(fault)))
        .collect();
    found.extend(contradictions);
    found
}

fn contradictions(config: &Config) -> Vec<Finding> {
    let transport = &config.transport;
    [
        tls(&transport.grpc),
        keep_alive(&transport.iroh),
        iroh_switched_off(transport),
        retired_and_fallback(transport),
        preferred_and_shifted(transport),
        raft_without_transport(config),
        same_address(config),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn out_of_range(config: &Config) -> Vec<Finding> {
    let mut faults = Vec::new();
    config.faults("", &mut faults);
    for (name, section) in config.transport.registered.sections() {
        if let Some(transport) = transports::named(name) {
            transport.faults(section, &registered::path(&*transport), &mut faults);
        }
    }
    // A value that TOML cannot represent is reported without being shown.
    let table = config.values().unwrap_or(Value::Table(Table::new()));
    let found = |key: &str| {
        let value = key.split('.').try_fold(&table, |value, part| value.get(part));
        value.map(|value| format!(", found {}", show(value))).unwrap_or_default()
    };
    faults
        .into_iter()
        .map(|(key, expected)| {
            let message = format!("expected {expected}{}", found(&key));
            Finding::new(key, [], message)
        })
        .collect()
}

fn filter(key: &'static str, filter: &str) -> Option<Finding> {
    let error = EnvFilter::builder().parse(filter).err()?;
    let expected = "a level or directives such as \"info,polywire=debug\"";
    let message = format!("expected {expected}, found {filter:?} ({error})");
    Some(Finding::new(key, [], message))
}

fn collector(endpoint: Option<&Url>) -> Option<Finding> {
    let endpoint = endpoint?;
    let key = "telemetry.otlp_endpoint";
    if !cfg!(feature = "otlp") {
        let message = format!("is {endpoint}, but this binary was built without the feature `otlp`");
        return Some(Finding::new(key, [], message));
    }
    let bare = matches!(endpoint.path(), "" | "/") && endpoint.query().is_none();
    (!bare).then(|| {
        let expected = "expected a URL without a path, as for OTLP over gRPC";
        Finding::new(key, [], format!("{expected}, found \"{endpoint}\""))
    })
}

fn tls(grpc: &Grpc) -> Option<Finding> {
    let enabled = "transport.grpc.tls_enabled";
    let cert = "transport.grpc.tls_cert";
    let key = "transport.grpc.tls_key";
    match (&grpc.tls_cert, &grpc.tls_key) {
        (Some(_), None) => {
            let message = format!("expected {key} beside it, found none");
            return Some(Finding::new(cert, [key], message));
        }
        (None, Some(_)) => {
            let message = format!("expected {cert} beside it, found none");
            return Some(Finding::new(key, [cert], message));
        }
        (Some(_), Some(_)) | (None, None) => {}
    }
    // In plaintext no caller shows a certificate: the key would look like a protection.
    (grpc.client_ca.is_some() && !grpc.tls_enabled).then(|| {
        let message = format!("expected {enabled} = true beside it");
        Finding::new("transport.grpc.client_ca", [enabled], message)
    })
}

fn keep_alive(iroh: &Iroh) -> Option<Finding> {
    let (interval, idle) = (iroh.keep_alive_interval, iroh.idle_timeout);
    (interval >= idle).then(|| {
        let other = "transport.iroh.idle_timeout";
        let message = format!(
            "expected less than {other}, found {interval:?} and {idle:?}: \
             idle connections would be lost before the first ping"
        );
        Finding::new("transport.iroh.keep_alive_interval", [other], message)
    })
}

fn repeated_alpn(names: &[AlpnName]) -> Vec<Finding> {
    let mut seen = BTreeSet::new();
    names
        .iter()
        .enumerate()
        .filter(|(_, name)| !seen.insert(*name))
        .map(|(index, name)| {
            let key = format!("transport.iroh.alpn_protocols[{index}]");
            Finding::new(key, [], format!("expected each name once, found \"{name}\" again"))
        })
        .collect()
}

fn iroh_switched_off(transport: &Transport) -> Option<Finding> {
    let wrong = transport.mode == Mode::Iroh && !transport.iroh.enabled;
    wrong.then(|| {
        let other = "transport.iroh.enabled";
        let message = format!("is \"iroh\", expected {other} = true beside it, found false");
        Finding::new("transport.mode", [other], message)
    })
}

fn retired_and_fallback(transport: &Transport) -> Option<Finding> {
    let strategy = &transport.strategy;
    let wrong = strategy.fallback_to_grpc && !strategy.retired_on_grpc.is_empty();
    wrong.then(|| {
        let other = "transport.strategy.fallback_to_grpc";
        let message = format!(
            "these services would fall back to gRPC, which does not serve them; \
             expected an empty list, or {other} = false"
        );
        Finding::new("transport.strategy.retired_on_grpc", [other], message)
    })
}

fn preferred_and_shifted(transport: &Transport) -> Option<Finding> {
    let strategy = &transport.strategy;
    let both = strategy.prefer_iroh_for.iter().find(|service| strategy.shift.of(service).is_some())?;
    let other = "transport.strategy.prefer_iroh_for";
    let message = format!(
        "\"{}\" is also in {other}, which moves all of its calls; expected it in one of the two keys",
        both.as_str()
    );
    Some(Finding::new("transport.strategy.shift", [other], message))
}

/// Members of a cluster must share a transport of Raft.
fn raft_without_transport(config: &Config) -> Option<Finding> {
    let transport = &config.transport;
    let is_alone = config.cluster.peers.is_empty();
    if is_alone || iroh_switched_off(transport).is_some() {
        return None;
    }
    let mode = "transport.mode";
    let (grpc, iroh) = (transport.serves_grpc(), transport.serves_iroh());
    let (asked, off) = match transport.strategy.raft_transport {
        RaftTransport::AlwaysGrpc if !grpc => ("gRPC", mode),
        RaftTransport::AlwaysIroh if !iroh => ("Iroh", transport.without_iroh()),
        RaftTransport::Adaptive { .. } if !grpc && !iroh => ("gRPC or Iroh", mode),
        _ => return None,
    };
    let expected = match (grpc, iroh) {
        (true, _) => "expected \"always_grpc\"".to_owned(),
        (_, true) => "expected \"always_iroh\"".to_owned(),
        _ => format!("expected another {mode}"),
    };
    let message = format!(
        "requires {asked}, which {off} disables, so this node could not form a cluster with cluster.peers; {expected}"
    );
    Some(Finding::new("transport.strategy.raft_transport", [off, "cluster.peers"], message))
}

fn same_address(config: &Config) -> Option<Finding> {
    let http = &config.http;
    let wrong = config.transport.serves_grpc()
        && http.enabled
        && http.bind_address == config.transport.grpc.bind_address
        && http.bind_address.port() != 0;
    wrong.then(|| {
        let other = "transport.grpc.bind_address";
        let message =
            format!("expected another address than {other}, found \"{}\" for both", http.bind_address);
        Finding::new("http.bind_address", [other], message)
    })
}
