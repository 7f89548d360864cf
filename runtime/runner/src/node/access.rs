//! What the log says of a node's access control.

use std::net::SocketAddr;

use polywire_core::access::AccessControl;

use crate::{config, transports};

/// Says at each start, and after each change of the rules, if every caller may call every method.
pub(crate) fn announce(access: &AccessControl) {
    if access.rules().is_insecure() {
        tracing::warn!(
            "access.insecure is true: every caller may call every method of this node, over every transport"
        );
    }
}

/// Says at the start what other machines may call of a node that has no rules and listens for them.
pub(super) fn announce_start(access: &AccessControl, transports: &config::Transport) {
    announce(access);
    let rules = access.rules();
    let open = open(transports);
    if open.is_empty() || rules.is_insecure() || !rules.is_empty() {
        return;
    }
    tracing::warn!(
        listening = open.join(", "),
        "access is closed: other machines may call public methods alone, as [access] has no rule; allow more by a rule such as \
         [[access.allow]] who = [\"key:NODE_ID\"], what = [\"application\"], or everything to every caller by `serve --insecure`"
    );
}

/// The transports that listen beyond loopback, and where.
fn open(config: &config::Transport) -> Vec<String> {
    let served = transports::all().into_iter().map(|transport| transport.dyn_name());
    let bound =
        served.filter(|name| config.serves(name)).filter_map(|name| Some((name, address(config, name)?)));
    let open = bound.filter(|(_, address)| !address.ip().to_canonical().is_loopback());
    open.map(|(name, address)| format!("{name} on {address}")).collect()
}

/// Where the transport binds, if its section says so. By default each binds to loopback.
fn address(config: &config::Transport, transport: &str) -> Option<SocketAddr> {
    match transport {
        "iroh" => Some(config.iroh.socket_addr()),
        other => config.section(other).get("bind_address")?.as_str()?.parse().ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn transports_that_listen_beyond_loopback_are_found() {
        let mut config = config::Transport::default();
        assert_eq!(open(&config), [""; 0]);
        config.grpc.bind_address = "0.0.0.0:7001".parse().unwrap();
        config.iroh.bind_address = Some("::".parse().unwrap());
        let mut expected = Vec::new();
        if cfg!(feature = "grpc") {
            expected.push("grpc on 0.0.0.0:7001");
        }
        if cfg!(feature = "iroh") {
            expected.push("iroh on [::]:0");
        }
        assert_eq!(open(&config), expected);
        config.mode = config::Mode::None;
        assert_eq!(open(&config), [""; 0]);
    }
}
