//! Which targets this node dials because another has named them.

use std::{net::IpAddr, time::Duration};

use polywire::{ConnectOptions, Context, Target, net::is_elsewhere};
use url::Url;

use super::key::{Key, read_key};

/// Whether the one that names targets may name local ones: it is on this machine, or so is everything that this node
/// listens to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Named {
    /// By a caller on this machine, by a member of the cluster, or to a node that only this machine reaches.
    Near,
    /// By another.
    Afar,
}

impl Named {
    /// By the caller of this call, at a node that listens on loopback alone or not.
    pub(super) fn by(cx: &Context, is_closed: bool) -> Self {
        match is_closed || cx.caller().is_none_or(|caller| caller.is_local) {
            true => Self::Near,
            false => Self::Afar,
        }
    }

    /// The options with which a target that is named so is dialled.
    pub(super) fn options(self, options: &ConnectOptions) -> ConnectOptions {
        match self {
            Self::Near => options.clone(),
            Self::Afar => options.clone().remote_only(),
        }
    }
}

/// The transports between machines. Others, such as Unix sockets, lead to something else on each machine.
const BETWEEN_MACHINES: &[&str] = &["grpc", "iroh", "quic", "websocket", "ws", "wss"];

/// How long the look-up of a name may take.
const LOOKUP: Duration = Duration::from_secs(2);

/// Checks whether this node may dial the target with the [options](Named::options), which keep a host's name from leading to this
/// machine. That of a relay, which iroh looks up, is looked up here.
///
/// # Errors
/// Why not, for the log.
pub(super) async fn check(target: &Target, named: Named) -> Result<(), String> {
    if named == Named::Near {
        return Ok(());
    }
    if target.is_local() || !BETWEEN_MACHINES.contains(&target.transport()) {
        return Err(format!("{target} means nothing on another machine"));
    }
    let text = target.to_string();
    let url = Url::parse(&text).map_err(|error| format!("{target}: {error}"))?;
    for (name, value) in url.query_pairs() {
        match &*name {
            "addr" => {
                let address =
                    value.parse::<std::net::SocketAddr>().map_err(|error| format!("{target}: {error}"))?;
                remote(address.ip(), target)?;
            }
            "relay" => {
                let relay = Url::parse(&value).map_err(|error| format!("{target}: {error}"))?;
                if relay.scheme() != "https" {
                    return Err(format!("{target}: its relay is not reached over https"));
                }
                check_host(&relay, target)?;
                look_up(&relay, target).await?;
            }
            _ => {}
        }
    }
    match target.transport() {
        // Its host is a key.
        "iroh" => Ok(()),
        _ => check_host(&url, target),
    }
}

fn check_host(url: &Url, target: &Target) -> Result<(), String> {
    match host(url).parse() {
        Ok(address) => remote(address, target),
        // A name is looked up when it is dialled.
        Err(_) => Ok(()),
    }
}

fn host(url: &Url) -> &str {
    let host = url.host_str().unwrap_or_default();
    host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host)
}

async fn look_up(relay: &Url, target: &Target) -> Result<(), String> {
    let (host, port) = (host(relay), relay.port_or_known_default().unwrap_or_default());
    let looking = tokio::time::timeout(LOOKUP, tokio::net::lookup_host((host, port)));
    let found = looking.await.map_err(|_| format!("{host} is not looked up within {LOOKUP:?}"))?;
    let mut found = found.map_err(|error| format!("{host}: {error}"))?;
    found.try_for_each(|address| remote(address.ip(), target))
}

fn remote(address: IpAddr, target: &Target) -> Result<(), String> {
    match is_elsewhere(address) {
        true => Ok(()),
        false => Err(format!("{target} leads to this machine or its link")),
    }
}

/// The key that a connection to this target proves; `None` where it proves none.
pub(super) fn pinned(target: &Target) -> Option<Key> {
    let url = Url::parse(&target.to_string()).ok()?;
    match target.transport() {
        "iroh" => read_key(url.host_str()?),
        _ => url.query_pairs().find(|(name, _)| name == "key").and_then(|(_, value)| read_key(&value)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "ae58ff8833241ac82d6ff7611046ed67b5072d142c588d0063e942d9a75502b6";

    async fn allowed(text: &str, named: Named) -> bool {
        check(&text.parse().unwrap(), named).await.is_ok()
    }

    #[tokio::test]
    async fn what_a_stranger_names_is_on_another_machine() {
        for text in [
            "grpc://127.0.0.1:7001".to_owned(),
            "grpc://127.1.2.3:7001".to_owned(),
            "grpc://[::1]:7001".to_owned(),
            "grpc://[::ffff:127.0.0.1]:7001".to_owned(),
            "grpc://0.0.0.0:7001".to_owned(),
            "grpc://169.254.169.254:80".to_owned(),
            "grpcs://127.0.0.1:7001".to_owned(),
            "ws://127.0.0.1:7001/".to_owned(),
            format!("quic://127.0.0.1:7001?key={KEY}"),
            format!("iroh://{KEY}?addr=127.0.0.1:1"),
            format!("iroh://{KEY}?addr=192.0.2.1:1&addr=[::1]:1"),
            format!("iroh://{KEY}?relay=https://127.0.0.1/"),
            format!("iroh://{KEY}?relay=https://localhost/"),
            format!("iroh://{KEY}?relay=http://192.0.2.1/"),
            "unix:///run/x.sock".to_owned(),
            "memory://x".to_owned(),
        ] {
            assert!(!allowed(&text, Named::Afar).await, "{text}");
            assert!(allowed(&text, Named::Near).await, "{text}");
        }
        for text in [
            "grpc://192.0.2.1:7001".to_owned(),
            "grpc://[2001:db8::1]:7001".to_owned(),
            format!("iroh://{KEY}?addr=192.0.2.1:1&relay=https://192.0.2.1/"),
        ] {
            assert!(allowed(&text, Named::Afar).await, "{text}");
        }
    }

    #[test]
    fn the_key_of_a_target_is_that_which_its_connection_proves() {
        let key = read_key(KEY);
        for (text, expected) in [
            (format!("iroh://{KEY}?addr=127.0.0.1:1"), key),
            (format!("quic://127.0.0.1:1?key={KEY}"), key),
            ("quic://127.0.0.1:1".to_owned(), None),
            ("grpc://127.0.0.1:1".to_owned(), None),
        ] {
            assert_eq!(pinned(&text.parse().unwrap()), expected, "{text}");
        }
    }
}
