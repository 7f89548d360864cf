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

    /// This node as it announces itself to its cluster: on a network, without what leads to this machine alone. There, that is
    /// another process or none, and a member that names it is refused.
    pub(crate) fn announced(&self) -> Member {
        let member = self.member();
        match self.node.parts.config.transport.is_reached_from_elsewhere() {
            true => Member { targets: for_other_machines(member.targets), ..member },
            false => member,
        }
    }

    /// Says so if the node listens on every address, and what it tells of itself leads to this machine alone: the machine has no
    /// route to others, by which it would know its own address.
    pub(crate) fn warn_of_loopback(&self) {
        let transport = &self.node.parts.config.transport;
        let targets = self.member().targets;
        let everywhere =
            self.node.targets.transports.iter().filter_map(|(name, _)| transport.bind_address(name));
        let is_meant_for_others = everywhere.into_iter().any(|bound| bound.ip().is_unspecified());
        let has_relay = transport.serves_iroh() && transport.iroh.home_relay.is_some();
        if is_meant_for_others && !has_relay && are_for_this_machine(&targets) {
            tracing::warn!(
                targets = targets.join(" "),
                "this node listens on every address, but the machine has no route to others that tells its own: tokens, members \
                 and the directory name loopback alone; cluster.advertise = [\"grpc://ADDRESS:PORT\"] says where others call it"
            );
        }
    }

    /// This node as a member, with its current addresses.
    pub(crate) fn member(&self) -> Member {
        let config = &self.node.parts.config;
        let targets = self.node.targets_now();
        let bound = targets.transports.into_iter().map(|(transport, target)| {
            match config.transport.bind_address(transport) {
                Some(bound) => (transport, from_elsewhere(target, bound, own_address)),
                None => (transport, target),
            }
        });
        Member {
            name: self.name.clone(),
            endpoint_id: targets.node_id,
            targets: advertised(&config.cluster.advertise, bound),
            incarnation: self.incarnation,
        }
    }
}

/// The targets without what leads to this machine alone: Unix sockets, and loopback addresses. All of them where nothing is left.
fn for_other_machines(targets: Vec<String>) -> Vec<String> {
    let others: Vec<_> = targets.iter().filter_map(|target| for_another_machine(target)).collect();
    if others.is_empty() { targets } else { others }
}

fn are_for_this_machine(targets: &[String]) -> bool {
    targets.iter().all(|target| for_another_machine(target).is_none())
}

fn for_another_machine(target: &str) -> Option<String> {
    if target.parse::<Target>().is_ok_and(|target| target.is_local()) {
        return None;
    }
    let (scheme, rest) = target.split_once("://")?;
    let (place, query) = rest.split_once('?').unwrap_or((rest, ""));
    if is_loopback(place.split('/').next()?) {
        return None;
    }
    // Iroh's target is a key, with addresses.
    let is_here = |parameter: &&str| parameter.strip_prefix("addr=").is_some_and(is_loopback);
    let kept: Vec<_> =
        query.split('&').filter(|parameter| !is_here(parameter) && !parameter.is_empty()).collect();
    match (query.is_empty(), kept.is_empty()) {
        (false, true) => None,
        (true, _) => Some(target.to_owned()),
        (false, false) => Some(format!("{scheme}://{place}?{}", kept.join("&"))),
    }
}

fn is_loopback(address: &str) -> bool {
    address.parse::<SocketAddr>().is_ok_and(|address| address.ip().to_canonical().is_loopback())
}

/// The advertised targets: the configured ones, and the bound ones for all other transports.
fn advertised(configured: &[Target], bound: impl Iterator<Item = (&'static str, String)>) -> Vec<String> {
    let others =
        bound.filter(|(transport, _)| configured.iter().all(|target| target.transport() != *transport));
    configured.iter().map(Target::to_string).chain(others.map(|(_, target)| target)).collect()
}

/// The target for other machines: a listener on every address is bound to loopback only for this machine.
fn from_elsewhere(target: String, bound: SocketAddr, own: impl Fn(&SocketAddr) -> Option<IpAddr>) -> String {
    let moved = || {
        let (scheme, rest) = target.split_once("://")?;
        let (authority, tail) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
        let port = authority.parse::<SocketAddr>().ok()?.port();
        Some(format!("{scheme}://{}{tail}", SocketAddr::new(own(&bound)?, port)))
    };
    if bound.ip().is_unspecified() { moved().unwrap_or(target) } else { target }
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
    fn what_leads_to_this_machine_alone_is_not_announced_beside_what_leads_here_from_others() {
        const ID: &str = "ae58ff8833241ac82d6ff7611046ed67b5072d142c588d0063e942d9a75502b6";
        let announced = |targets: &[&str]| {
            let targets = targets.iter().map(|target| target.replace("ID", ID)).collect();
            for_other_machines(targets).iter().map(|target| target.replace(ID, "ID")).collect::<Vec<_>>()
        };
        for (target, expected) in [
            ("iroh://ID?addr=127.0.0.1:1", None),
            (
                "iroh://ID?addr=127.0.0.1:1&addr=[::1]:1&addr=198.51.100.7:1",
                Some("iroh://ID?addr=198.51.100.7:1"),
            ),
            (
                "iroh://ID?addr=127.0.0.1:1&relay=https://relay.example/",
                Some("iroh://ID?relay=https://relay.example/"),
            ),
            ("iroh://ID", Some("iroh://ID")),
            ("grpcs://127.0.0.1:7001?key=ID", None),
            ("grpcs://198.51.100.7:7001?key=ID", Some("grpcs://198.51.100.7:7001?key=ID")),
            ("ws://[::1]:7003/a", None),
            ("unix:///run/node.sock", None),
            ("grpc://node.example:7001", Some("grpc://node.example:7001")),
        ] {
            let other = "grpc://198.51.100.8:1";
            let expected: Vec<_> = expected.into_iter().chain([other]).collect();
            assert_eq!(announced(&[target, other]), expected, "{target}");
        }
        let here = ["grpc://127.0.0.1:7001", "unix:///run/node.sock"];
        assert!(are_for_this_machine(&here.map(str::to_owned)));
        assert!(!are_for_this_machine(&[here[0].to_owned(), "iroh://ID".to_owned()]));
        assert_eq!(announced(&here), here);
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
        for (target, expected) in [
            ("grpcs://127.0.0.1:7001?key=0a", "grpcs://198.51.100.7:7001?key=0a"),
            ("quic://127.0.0.1:7002?key=0a", "quic://198.51.100.7:7002?key=0a"),
            ("wss://127.0.0.1:7003/a/b?key=0a", "wss://198.51.100.7:7003/a/b?key=0a"),
            ("unix:///run/node.sock", "unix:///run/node.sock"),
        ] {
            let bound = "0.0.0.0:0".parse().unwrap();
            assert_eq!(from_elsewhere(target.to_owned(), bound, own), expected);
        }
        let six = |_: &SocketAddr| Some("2001:db8::7".parse().unwrap());
        let bound = "[::]:7001".parse().unwrap();
        assert_eq!(from_elsewhere("grpc://[::1]:7001".to_owned(), bound, six), "grpc://[2001:db8::7]:7001");
    }
}
