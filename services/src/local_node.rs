//! This node, with the name and the addresses that it advertises.

use std::{
    hash::{BuildHasher as _, RandomState},
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket},
};

use polywire::{NodeHandle, Target};

use crate::member::Member;

/// This node, once it has been bound.
#[derive(Clone, Debug)]
pub(crate) struct LocalNode {
    node: NodeHandle,
    name: String,
    /// Drawn at random for this run of the process. A copy of the data directory has the same key and data, but another
    /// incarnation.
    incarnation: u64,
}

impl LocalNode {
    pub(crate) fn new(node: &NodeHandle) -> Self {
        let id = &node.targets.node_id;
        let name = node.parts.config.node.name.clone();
        let name = name.unwrap_or_else(|| id.chars().take(10).collect());
        // Seeded by the operating system; 0 means that there is none.
        let incarnation = RandomState::new().hash_one(std::process::id()).max(1);
        Self { node: node.clone(), name, incarnation }
    }

    /// The node.
    pub(crate) fn node(&self) -> &NodeHandle {
        &self.node
    }

    /// This node as a member, with its current addresses.
    pub(crate) fn member(&self) -> Member {
        let config = &self.node.parts.config;
        let targets = self.node.targets_now();
        let grpc = config.transport.grpc.bind_address;
        let bound = targets.transports.into_iter().map(|(transport, target)| match transport {
            "grpc" => (transport, from_elsewhere(target, grpc, own_address)),
            _ => (transport, target),
        });
        Member {
            name: self.name.clone(),
            endpoint_id: targets.node_id,
            targets: advertised(&config.cluster.advertise, bound),
            incarnation: self.incarnation,
        }
    }
}

/// The advertised targets: the configured ones, and the bound ones for all other transports.
fn advertised(configured: &[Target], bound: impl Iterator<Item = (&'static str, String)>) -> Vec<String> {
    let others =
        bound.filter(|(transport, _)| configured.iter().all(|target| target.transport() != *transport));
    configured.iter().map(Target::to_string).chain(others.map(|(_, target)| target)).collect()
}

/// The target for other machines: a listener on every address is bound to loopback only for this machine.
fn from_elsewhere(target: String, bound: SocketAddr, own: impl Fn(&SocketAddr) -> Option<IpAddr>) -> String {
    if !bound.ip().is_unspecified() {
        return target;
    }
    let port = target.rsplit_once(':').and_then(|(_, port)| port.parse().ok());
    match (target.split_once("://"), port, own(&bound)) {
        (Some((scheme, _)), Some(port), Some(address)) => {
            format!("{scheme}://{}", SocketAddr::new(address, port))
        }
        _ => target,
    }
}

/// The source address of this machine for distant networks, if it has one. No packet is sent: connecting a UDP socket
/// only looks up the route.
fn own_address(bound: &SocketAddr) -> Option<IpAddr> {
    // Addresses for documentation (RFC 5737, RFC 3849), which are on no machine's own network.
    let far: IpAddr = match bound {
        SocketAddr::V4(_) => Ipv4Addr::new(192, 0, 2, 1).into(),
        SocketAddr::V6(_) => Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1).into(),
    };
    let socket = UdpSocket::bind(SocketAddr::new(bound.ip(), 0)).ok()?;
    socket.connect(SocketAddr::new(far, 9)).ok()?;
    socket.local_addr().ok().map(|address| address.ip()).filter(|address| !address.is_unspecified())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_configured_takes_the_place_of_what_is_bound() {
        let configured: Vec<Target> = vec!["grpcs://node.example:7001".parse().unwrap()];
        let bound = [("grpc", "grpcs://127.0.0.1:7001"), ("iroh", "iroh://abc")];
        let told = advertised(&configured, bound.map(|(name, target)| (name, target.to_owned())).into_iter());
        assert_eq!(told, ["grpcs://node.example:7001", "iroh://abc"]);
    }

    #[test]
    fn what_listens_everywhere_is_reached_at_the_machines_own_address() {
        let own = |_: &SocketAddr| Some("198.51.100.7".parse().unwrap());
        let seen = |bound: &str, own: &dyn Fn(&SocketAddr) -> Option<IpAddr>| {
            from_elsewhere("grpc://127.0.0.1:7001".to_owned(), bound.parse().unwrap(), own)
        };
        assert_eq!(seen("0.0.0.0:7001", &own), "grpc://198.51.100.7:7001");
        assert_eq!(seen("0.0.0.0:7001", &|_| None), "grpc://127.0.0.1:7001");
        assert_eq!(seen("127.0.0.1:7001", &own), "grpc://127.0.0.1:7001");
        let six = |_: &SocketAddr| Some("2001:db8::7".parse().unwrap());
        let bound = "[::]:7001".parse().unwrap();
        assert_eq!(from_elsewhere("grpc://[::1]:7001".to_owned(), bound, six), "grpc://[2001:db8::7]:7001");
    }
}
