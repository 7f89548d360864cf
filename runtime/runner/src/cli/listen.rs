//! `--listen`: the transports that a gateway serves, as configuration flags.

use std::{net::SocketAddr, str::FromStr, sync::Arc};

use super::{failure::Failure, flags::Flags};
use crate::transports::{self, DynTransport};

/// A transport to serve, and its address unless the configuration sets it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Listen {
    transport: &'static str,
    /// Keys of its section, and their values.
    keys: Vec<(&'static str, String)>,
}

impl FromStr for Listen {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, address) = match text.split_once("://") {
            Some((scheme, address)) => (scheme, Some(address)),
            None => (text, None),
        };
        let Some(transport) = named(name) else {
            return Err(format!(
                "invalid transport `{name}`: this build does not have it; expected {}",
                forms()
            ));
        };
        let mut keys = Vec::new();
        if let Some(address) = address {
            keys.extend(address_keys(&*transport, address)?);
        }
        let secured = transport.dyn_schemes().iter().any(|scheme| scheme.name == format!("{name}s"));
        let secures = name.strip_suffix('s').is_some_and(|plain| plain == transport.dyn_name());
        if has_key(&*transport, "tls_enabled") && (secures || (secured && address.is_some())) {
            keys.push(("tls_enabled", secures.to_string()));
        }
        Ok(Self { transport: transport.dyn_name(), keys })
    }
}

/// The given flags, and those that make a node listen on exactly these transports.
///
/// # Errors
/// If a transport is named twice, or a flag sets a key that `--listen` sets.
pub(super) fn configure(listens: &[Listen], mut flags: Flags) -> Result<Flags, Failure> {
    let mut said = Flags::new();
    for (index, listen) in listens.iter().enumerate() {
        let name = listen.transport;
        if listens[..index].iter().any(|other| other.transport == name) {
            return Err(Failure::usage(format!(
                "--listen names {name} twice; expected each transport once, as it listens on one address"
            )));
        }
        let key = |(key, value): &(&str, String)| (format!("transport.{name}.{key}"), value.into());
        said.extend(listen.keys.iter().map(key));
    }
    let listens = |name: &str| listens.iter().any(|listen| listen.transport == name);
    let mode = match (listens("grpc"), listens("iroh")) {
        (true, true) => "dual",
        (true, false) => "grpc",
        (false, true) => "iroh",
        (false, false) => "none",
    };
    said.push(("transport.mode".to_owned(), mode.into()));
    for transport in transports::all() {
        // The mode alone switches gRPC; the mode and `enabled` switch Iroh.
        let name = transport.dyn_name();
        if name != "grpc" && (name != "iroh" || listens(name)) {
            said.push((format!("transport.{name}.enabled"), listens(name).to_string().into()));
        }
    }
    if let Some((key, _)) = flags.iter().find(|(key, _)| said.iter().any(|(said, _)| said == key)) {
        return Err(Failure::usage(format!("unexpected flag --{key}: --listen sets this key")));
    }
    flags.extend(said);
    Ok(flags)
}

/// The transport with this name or target scheme.
fn named(name: &str) -> Option<Arc<dyn DynTransport>> {
    let scheme = |transport: &Arc<dyn DynTransport>| {
        transport.dyn_schemes().iter().any(|scheme| scheme.is_url() && scheme.name == name)
    };
    transports::named(name).or_else(|| transports::all().into_iter().find(scheme))
}

/// The keys that set the address of the transport.
fn address_keys(transport: &dyn DynTransport, address: &str) -> Result<Vec<(&'static str, String)>, String> {
    let name = transport.dyn_name();
    if address.is_empty() {
        return Err(format!("missing address; expected `{name}` alone or {name}://ADDRESS"));
    }
    // Iroh's port has a key of its own.
    if has_key(transport, "discovery_port") {
        let socket: SocketAddr = address.parse().map_err(|_| {
            format!(
                "invalid address {address:?} for {name}; expected {name}://ip:port or `{name}` alone (the id is the \
                 gateway's own)"
            )
        })?;
        return Ok(vec![
            ("bind_address", socket.ip().to_string()),
            ("discovery_port", socket.port().to_string()),
        ]);
    }
    let key = ["bind_address", "path"].into_iter().find(|key| has_key(transport, key));
    let key = key.ok_or_else(|| {
        format!("{name} does not take an address; expected `{name}` alone and flags --transport.{name}.KEY")
    })?;
    Ok(vec![(key, address.to_owned())])
}

/// Whether the transport's own section has this key.
fn has_key(transport: &dyn DynTransport, key: &str) -> bool {
    let mut outlines = Vec::new();
    transport.outline("", &mut outlines);
    outlines.iter().any(|outline| outline.path.is_empty() && outline.has(key))
}

/// The accepted values, for error texts.
fn forms() -> String {
    let names: Vec<_> = transports::all().iter().map(|transport| transport.dyn_name()).collect();
    format!("TRANSPORT or TRANSPORT://ADDRESS with one of {}", names.join(", "))
}

#[cfg(test)]
#[cfg(all(feature = "grpc", feature = "iroh"))]
mod tests {
    use super::*;

    /// The flags for these values, without the switches of other transports.
    fn configured(forms: &[&str]) -> Vec<String> {
        let listens: Vec<Listen> = forms.iter().map(|form| form.parse().unwrap()).collect();
        let flags = configure(&listens, Flags::new()).unwrap();
        let switch =
            |(key, value): &(String, std::ffi::OsString)| key.ends_with(".enabled") && value == "false";
        let told = flags.into_iter().filter(|flag| !switch(flag));
        told.map(|(key, value)| format!("{key}={}", value.display())).collect()
    }

    #[test]
    fn what_is_listened_on_is_said_to_the_configuration() {
        assert_eq!(configured(&["grpc"]), ["transport.mode=grpc"]);
        assert_eq!(configured(&["iroh"]), ["transport.mode=iroh", "transport.iroh.enabled=true"]);
        assert_eq!(
            configured(&["grpcs://127.0.0.1:0", "iroh://[::1]:7002"]),
            [
                "transport.grpc.bind_address=127.0.0.1:0",
                "transport.grpc.tls_enabled=true",
                "transport.iroh.bind_address=::1",
                "transport.iroh.discovery_port=7002",
                "transport.mode=dual",
                "transport.iroh.enabled=true",
            ]
        );
        assert!(configured(&["grpc://127.0.0.1:0"]).contains(&"transport.grpc.tls_enabled=false".to_owned()));
    }

    #[test]
    fn flags_of_other_keys_stay() {
        let flag = ("transport.grpc.max_message_size".to_owned(), "1".into());
        let flags = configure(&["grpc".parse().unwrap()], vec![flag.clone()]).unwrap();
        assert_eq!(flags[0], flag);
    }
}
