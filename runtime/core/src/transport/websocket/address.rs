use std::fmt;

use http::{Uri, uri::PathAndQuery};

use crate::transport::{Scheme, net::PublicKey};

pub(super) const PLAIN: Scheme = Scheme { name: "ws", form: "ws://host:port/path" };
pub(super) const TLS: Scheme =
    Scheme { name: "wss", form: "wss://host:port/path or wss://host:port/path?key=NODE_ID" };

/// Where a WebSocket is: `ws://host:port/path`, or `wss://host:port/path` under TLS. Without a port it is that of
/// HTTP, 80, or HTTPS, 443; without a path it is `/`. A query may follow. In that of `wss`, `key` is the key that the server
/// must have; it is not sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    /// Without the key.
    uri: Uri,
    tls: bool,
    key: Option<PublicKey>,
}

impl Address {
    pub(super) fn parse(rest: &str, tls: bool) -> Result<Self, String> {
        let scheme = if tls { TLS.name } else { PLAIN.name };
        let (authority, _) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
        if authority.contains('@') {
            return Err("a user name has no place there".to_owned());
        }
        if rest.contains('#') {
            return Err("a fragment has no place there".to_owned());
        }
        if authority.is_empty() || authority.starts_with(':') {
            return Err("the host is missing".to_owned());
        }
        let (rest, key) = if tls { take_key(rest)? } else { (rest.to_owned(), None) };
        let uri: Uri = format!("{scheme}://{rest}").parse().map_err(|error| format!("{error}"))?;
        let behind_host =
            uri.authority().map_or("", |authority| &authority.as_str()[authority.host().len()..]);
        match uri.port_u16() {
            Some(0) => Err("port 0 cannot be dialled".to_owned()),
            None if !behind_host.is_empty() => Err("the port is not a number from 1 to 65535".to_owned()),
            _ => Ok(Self { uri, tls, key }),
        }
    }

    /// Whether the connection is encrypted.
    pub fn is_tls(&self) -> bool {
        self.tls
    }

    /// The same place, under TLS where this is plaintext and the reverse.
    pub(super) fn otherwise(&self) -> Self {
        Self { tls: !self.tls, key: None, ..self.clone() }
    }

    /// The key that the server must have.
    pub fn key(&self) -> Option<&PublicKey> {
        self.key.as_ref()
    }

    /// The same place, whose server has this key.
    pub(super) fn pinned(self, key: Option<PublicKey>) -> Self {
        Self { key, ..self }
    }

    /// The host, an IPv6 address without its brackets.
    pub fn host(&self) -> &str {
        self.uri.host().unwrap_or_default().trim_start_matches('[').trim_end_matches(']')
    }

    /// The port.
    pub fn port(&self) -> u16 {
        self.uri.port_u16().unwrap_or(if self.tls { 443 } else { 80 })
    }

    /// All of it.
    pub(super) fn uri(&self) -> &Uri {
        &self.uri
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.tls { TLS.name } else { PLAIN.name };
        let authority = self.uri.authority().map_or("", |authority| authority.as_str());
        let path = self.uri.path_and_query().map_or("/", PathAndQuery::as_str);
        write!(f, "{scheme}://{authority}{}", if path == "/" { "" } else { path })?;
        match &self.key {
            Some(key) => write!(f, "{}key={key}", if path.contains('?') { '&' } else { '?' }),
            None => Ok(()),
        }
    }
}

/// Takes the server's key out of the query.
fn take_key(rest: &str) -> Result<(String, Option<PublicKey>), String> {
    let Some((place, query)) = rest.split_once('?') else { return Ok((rest.to_owned(), None)) };
    let (mut key, mut kept) = (None, Vec::new());
    for pair in query.split('&') {
        match pair.strip_prefix("key=") {
            Some(_) if key.is_some() => return Err("`key` is there twice".to_owned()),
            Some(text) => key = Some(text.parse().map_err(|error| format!("`{pair}`: {error}"))?),
            None => kept.push(pair),
        }
    }
    let rest = if kept.is_empty() { place.to_owned() } else { format!("{place}?{}", kept.join("&")) };
    Ok((rest, key))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_and_a_path_may_be_left_out() {
        let cases = [
            ("h.example", true, "h.example", 443, "wss://h.example"),
            ("h.example/", false, "h.example", 80, "ws://h.example"),
            ("[::1]:7003/a/b?c=d", false, "::1", 7003, "ws://[::1]:7003/a/b?c=d"),
        ];
        for (rest, tls, host, port, text) in cases {
            let address = Address::parse(rest, tls).unwrap();
            assert_eq!((address.host(), address.port(), &*address.to_string()), (host, port, text));
        }
    }

    #[test]
    fn the_key_of_the_server_is_no_part_of_the_request() {
        let key = "ae58ff8833241ac82d6ff7611046ed67b5072d142c588d0063e942d9a75502b6";
        for (rest, uri) in
            [(format!("h:1?key={key}"), "wss://h:1/"), (format!("h:1/a?b=c&key={key}"), "wss://h:1/a?b=c")]
        {
            let address = Address::parse(&rest, true).unwrap();
            assert_eq!(address.key().unwrap().to_string(), key);
            assert_eq!(address.uri().to_string(), uri);
            assert_eq!(address.to_string(), format!("wss://{rest}"));
        }
        let plain = Address::parse("h:1/?key=x", false).unwrap();
        assert_eq!((plain.key(), &*plain.to_string()), (None, "ws://h:1/?key=x"));
        for (query, reason) in
            [("key=x".to_owned(), "64 hexadecimal digits"), (format!("key={key}&key={key}"), "twice")]
        {
            let error = Address::parse(&format!("h:1?{query}"), true).unwrap_err();
            assert!(error.contains(reason), "{error}");
        }
    }

    #[test]
    fn what_is_wrong_is_said() {
        let cases = [
            ("", "the host is missing"),
            (":7003", "the host is missing"),
            ("/path", "the host is missing"),
            ("h:0", "port 0 cannot be dialled"),
            ("h:70000", "the port is not a number from 1 to 65535"),
            ("h:", "the port is not a number from 1 to 65535"),
            ("me@h:1", "a user name has no place there"),
            ("h:1/a#b", "a fragment has no place there"),
            ("a b:1", "invalid"),
        ];
        for (rest, reason) in cases {
            let error = Address::parse(rest, false).unwrap_err();
            assert!(error.contains(reason), "{rest}: {error}");
        }
    }
}
