use std::net::SocketAddr;

use toml::Value;

use super::Transport;

impl Transport {
    /// Whether other machines can reach the node: a listener is bound to another address than loopback, or a relay leads to
    /// it.
    pub fn is_reached_from_elsewhere(&self) -> bool {
        let is_far = |address: SocketAddr| !address.ip().to_canonical().is_loopback();
        let grpc = self.serves_grpc() && is_far(self.grpc.bind_address);
        let iroh = self.serves_iroh() && (is_far(self.iroh.socket_addr()) || self.iroh.home_relay.is_some());
        let mut others = self.registered.sections().filter(|(name, _)| self.registered.is_enabled(name));
        grpc || iroh
            || others.any(|(_, section)| {
                let address = section.get("bind_address").and_then(Value::as_str);
                // One without an address, such as a Unix socket, is on this machine alone.
                address.is_some_and(|address| address.parse().map_or(true, is_far))
            })
    }
}

#[cfg(test)]
mod tests {
    use crate::config::Loader;

    #[test]
    fn a_node_is_reached_from_elsewhere_by_any_of_its_listeners() {
        let reached = |text: &str| {
            Loader::new().text("node.toml", text).load().unwrap().config.transport.is_reached_from_elsewhere()
        };
        assert!(!reached(""));
        assert!(!reached("[transport.grpc]\nbind_address = \"[::1]:0\""));
        assert!(reached("[transport.grpc]\nbind_address = \"0.0.0.0:0\""));
        assert!(!reached("[transport]\nmode = \"iroh\"\n[transport.grpc]\nbind_address = \"0.0.0.0:0\""));
        assert!(reached("[transport.iroh]\nbind_address = \"192.0.2.1\""));
        assert!(reached(
            "[transport.iroh]\nhome_relay = \"https://relay.example\"\nbind_address = \"127.0.0.1\""
        ));
    }
}
