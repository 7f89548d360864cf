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
        /// Whether Iroh is used where the mode allows it.
        pub enabled: bool = true,
        /// IP address to bind. Unset it is 127.0.0.1 without `home_relay` and 0.0.0.0 with one: a
        /// relay means reaching beyond this machine.
        pub bind_address: Option<IpAddr> = None,
        /// UDP port to bind; 0 takes any free one, and that one again at each later start, while it
        /// is free.
        pub discovery_port: u16 = 0,
        /// URL of the relay through which peers find this node and reach it behind a NAT. Unset,
        /// no relay is used.
        ///
        /// The node also starts and serves while the relay cannot be reached.
        pub home_relay: Option<Url> = None,
        /// PEM file of certificate authorities to trust for relays over https, the home relay and
        /// those of peers, beside the public ones.
        pub relay_ca_file: Option<PathBuf> = None,
        /// Names accepted beside `polywire/1`, as prefix/short_name/major; on a connection with
        /// such a name only the service with that short name answers.
        pub alpn_protocols: Vec<AlpnName> = Vec::new(),
        /// How messages of outgoing calls are encoded: "msgpack" or "protobuf". A server answers
        /// in the codec that it was asked in.
        pub codec: Codec = Codec::MessagePack,
        /// Largest message in either direction, in bytes, from 1 to 1 GiB.
        pub max_message_size: usize = 4_194_304,
        /// Calls in progress that a peer may have on one connection; it waits with the next.
        ///
        /// A QUIC stream counts until the peer has acknowledged its end, so a limit of 100 allows
        /// only about 100 calls a round trip.
        pub max_concurrent_streams: u32 = 1024,
        /// Connections open at a time; further ones are refused.
        pub max_connections: u32 = 4096,
        /// How long dialling a peer may take before the attempt counts as failed.
        pub connect_timeout: Duration as "crate::settings::duration" = Duration::from_secs(5),
        /// How long nothing may arrive from a peer before the connection counts as lost.
        pub idle_timeout: Duration as "crate::settings::duration" = Duration::from_secs(10),
        /// How long a connection is quiet before the node sends a ping; less than `idle_timeout`.
        ///
        /// Three pings fit into the default `idle_timeout`, so one lost datagram loses nothing.
        pub keep_alive_interval: Duration as "crate::settings::duration" = Duration::from_secs(3),
        /// How long one message may take to arrive once it has begun.
        pub message_timeout: Duration as "crate::settings::duration" = Duration::from_secs(20),
    }
}

impl Iroh {
    /// The UDP address to bind: `bind_address`, or what its absence stands for, and
    /// `discovery_port`.
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
