//! What may be dialled because a peer has told of it.

use std::net::{IpAddr, SocketAddr};

use crate::Target;

/// Whether the target leads to this machine: a Unix socket and the like, a loopback address, or the unspecified one, which
/// means loopback where it is dialled. An Iroh target does if all of its addresses do and it has no relay.
pub fn leads_here(target: &Target) -> bool {
    if target.is_local() {
        return true;
    }
    let text = target.to_string();
    if target.transport() == "iroh" {
        let mut addresses = queried(&text, "addr").peekable();
        let is_here = |address: String| address.parse().is_ok_and(|address: SocketAddr| is_own(address.ip()));
        return addresses.peek().is_some()
            && addresses.all(is_here)
            && queried(&text, "relay").next().is_none();
    }
    host(&text).is_some_and(|host| match host.parse() {
        Ok(address) => is_own(address),
        // RFC 6761, section 6.3.
        Err(_) => host == "localhost" || host.ends_with(".localhost"),
    })
}

/// Whether a connection to the target proves another id than this one.
pub(super) fn is_of_another(target: &Target, id: &str) -> bool {
    let text = target.to_string();
    let pinned = match target.transport() {
        "iroh" => host(&text).map(str::to_owned),
        _ => queried(&text, "key").next(),
    };
    pinned.is_some_and(|key| !key.eq_ignore_ascii_case(id))
}

fn is_own(address: IpAddr) -> bool {
    let address = address.to_canonical();
    address.is_loopback() || address.is_unspecified()
}

/// The host of a URL, without brackets, user and port.
fn host(text: &str) -> Option<&str> {
    let (_, rest) = text.split_once("://")?;
    let authority = rest.split(['/', '?', '#']).next()?;
    let address = authority.rsplit_once('@').map_or(authority, |(_, address)| address);
    match address.strip_prefix('[') {
        Some(address) => address.split_once(']').map(|(host, _)| host),
        None => Some(address.rsplit_once(':').map_or(address, |(host, _)| host)),
    }
}

/// The values of a name in the query of a URL.
fn queried(text: &str, name: &'static str) -> impl Iterator<Item = String> {
    let query = text.split_once('?').map_or("", |(_, query)| query);
    let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    pairs.filter(move |(key, _)| *key == name).map(|(_, value)| value.replace("%3A", ":").replace("%3a", ":"))
}

#[cfg(all(test, feature = "grpc", feature = "iroh", feature = "quic", feature = "unix"))]
mod tests {
    use super::*;

    const KEY: &str = "ae58ff8833241ac82d6ff7611046ed67b5072d142c588d0063e942d9a75502b6";

    #[test]
    fn a_target_leads_here_by_its_address() {
        for (text, here) in [
            ("grpc://127.0.0.1:1".to_owned(), true),
            ("grpc://[::1]:1".to_owned(), true),
            ("grpc://0.0.0.0:1".to_owned(), true),
            ("grpc://localhost:1".to_owned(), true),
            (format!("quic://127.0.0.1:1?key={KEY}"), true),
            ("unix:///run/x.sock".to_owned(), true),
            (format!("iroh://{KEY}?addr=127.0.0.1:1&addr=[::1]:1"), true),
            ("grpc://192.0.2.1:1".to_owned(), false),
            ("grpc://node.example:1".to_owned(), false),
            (format!("iroh://{KEY}"), false),
            (format!("iroh://{KEY}?addr=127.0.0.1:1&addr=192.0.2.1:1"), false),
            (format!("iroh://{KEY}?addr=127.0.0.1:1&relay=https://relay.example/"), false),
        ] {
            assert_eq!(leads_here(&text.parse().unwrap()), here, "{text}");
        }
    }

    #[test]
    fn a_target_with_a_key_is_of_the_node_with_that_key() {
        for (text, of_another) in [
            (format!("iroh://{KEY}?addr=127.0.0.1:1"), false),
            (format!("quic://127.0.0.1:1?key={KEY}"), false),
            ("grpc://127.0.0.1:1".to_owned(), false),
        ] {
            let target = text.parse().unwrap();
            assert_eq!(is_of_another(&target, KEY), of_another, "{text}");
            assert_eq!(is_of_another(&target, "another"), text.contains(KEY), "{text}");
        }
    }
}
