//! `[transport.iroh]`: QUIC between peers that dial each other by key.

use crate::{AlpnName, Codec};
use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    path::PathBuf,
    time::Duration,
};
use url::Url;

crate::section! {
    /// Iroh: QUIC between peers that dial each other by key.
    pub struct Iroh {
        /// Whether the node uses Iroh, if the mode allows it.
        pub enabled: bool = true,
        /// IP address to bind. The default is 127.0.0.1 without `home_relay` and 0.0.0.0 with one,
        /// as a relay is for peers on other machines.
        pub bind_address: Option<IpAddr> = None,
        /// UDP port to bind. 0 selects a free one, which the node reuses at later starts while it is
        /// free.
        pub discovery_port: u16 = 0,
        /// URL of the relay through which peers find this node and reach it behind a NAT. Without
        /// it, no relay is used.
        ///
        /// The node starts and serves even if the relay is unreachable.
        pub home_relay: Option<Url> = None,
        /// PEM file of certificate authorities to trust for https relays in addition to the public
        /// ones: the home relay and the relays of peers.
        pub relay_ca_file: Option<PathBuf> = None,
        /// ALPN names to accept in addition to `polywire/1`, as prefix/short_name/major. A
        /// connection with such a name reaches only the service with that short name.
        pub alpn_protocols: Vec<AlpnName> = Vec::new(),
        /// Codec of outgoing calls: "msgpack" or "protobuf". A server answers in the codec of the
        /// request.
        pub codec: Codec = Codec::MessagePack,
        /// Largest message in either direction, in bytes, from 1 to 1 GiB.
        pub max_message_size: usize = 4_194_304,
        /// Most calls in progress per connection; the peer queues further ones.
        ///
        /// A QUIC stream counts until the peer has acknowledged its end, so a limit of 100 allows
        /// only about 100 calls per round trip.
        pub max_concurrent_streams: u32 = 1024,
        /// Most open connections; further ones are refused.
        pub max_connections: u32 = 4096,
        /// Timeout of connecting to a peer.
        pub connect_timeout: Duration as "crate::settings::duration" = Duration::from_secs(5),
        /// Time without any packet from a peer after which the connection counts as lost.
        pub idle_timeout: Duration as "crate::settings::duration" = Duration::from_secs(10),
        /// Idle time of a connection after which the node sends a ping; less than `idle_timeout`.
        ///
        /// Three pings fit into the default `idle_timeout`, so a connection survives lost datagrams.
        pub keep_alive_interval: Duration as "crate::settings::duration" = Duration::from_secs(3),
        /// Timeout of receiving one message, from its first byte to its last.
        pub message_timeout: Duration as "crate::settings::duration" = Duration::from_secs(20),
    }
}

impl Iroh {
    /// The UDP address to bind: `bind_address` or its default, and `discovery_port`.
    pub fn socket_addr(&self) -> SocketAddr {
        let fallback = match self.home_relay {
            Some(_) => Ipv4Addr::UNSPECIFIED,
            None => Ipv4Addr::LOCALHOST,
        };
        let ip = self.bind_address.unwrap_or(IpAddr::V4(fallback));
        SocketAddr::new(ip, self.discovery_port)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_relay_opens_the_node_beyond_this_machine() {
        let mut iroh = Iroh::default();
        assert_eq!(iroh.socket_addr().to_string(), "127.0.0.1:0");
        iroh.home_relay = Some("https://relay.example".parse().unwrap());
        assert_eq!(iroh.socket_addr().to_string(), "0.0.0.0:0");
    }

    #[test]
    fn an_address_that_was_set_wins_over_both_defaults() {
        let iroh = Iroh {
            bind_address: Some("::1".parse().unwrap()),
            discovery_port: 7002,
            home_relay: Some("https://relay.example".parse().unwrap()),
            ..Iroh::default()
        };
        assert_eq!(iroh.socket_addr().to_string(), "[::1]:7002");
    }
}
