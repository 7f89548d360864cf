//! `quic://host:port` and `quic://host:port?key=HEX`.

use std::fmt;

use http::uri::Authority;

use super::PublicKey;
use crate::transport::Scheme;

pub(super) const SCHEME: Scheme =
    Scheme { name: "quic", form: "quic://host:port or quic://host:port?key=PUBLIC_KEY" };

/// Where a QUIC server is, and the key that it must have, where the target names one.
#[derive(Clone, Debug)]
pub struct Address {
    authority: Authority,
    key: Option<PublicKey>,
}

impl Address {
    pub(super) fn parse(rest: &str) -> Result<Self, String> {
        let (authority, query) = rest.split_once('?').unwrap_or((rest, ""));
        let authority = parse_authority(authority)?;
        let mut key = None;
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            match &*name {
                "key" if key.is_some() => return Err("`key` is there twice".to_owned()),
                "key" => key = Some(parse_key(&value)?),
                other => return Err(format!("`{other}` is not known, only `key` is")),
            }
        }
        Ok(Self { authority, key })
    }

    /// The host, a name or an IP address without brackets.
    pub(super) fn host(&self) -> &str {
        let host = self.authority.host();
        host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host)
    }

    pub(super) fn port(&self) -> u16 {
        self.authority.port_u16().unwrap_or_default()
    }

    /// The key that the server must have.
    pub fn key(&self) -> Option<&PublicKey> {
        self.key.as_ref()
    }
}

fn parse_authority(text: &str) -> Result<Authority, String> {
    if text.contains('@') {
        return Err("a user name has no place there".to_owned());
    }
    if text.contains(['/', '#']) {
        return Err("a path has no place there".to_owned());
    }
    let authority: Authority = text.parse().map_err(|_| "the host is malformed".to_owned())?;
    if authority.host().is_empty() {
        return Err("the host is missing".to_owned());
    }
    match authority.port_u16() {
        Some(0) => Err("port 0 cannot be dialled".to_owned()),
        Some(_) => Ok(authority),
        None if authority.as_str() == authority.host() => Err("the port is missing".to_owned()),
        None => Err("the port is not a number from 1 to 65535".to_owned()),
    }
}

fn parse_key(text: &str) -> Result<PublicKey, String> {
    text.parse().map_err(|error| format!("`key={text}`: {error}"))
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "quic://{}", self.authority)?;
        match &self.key {
            Some(key) => write!(f, "?key={key}"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::Target;

    const KEY: &str = "ae58ff8833241ac82d6ff7611046ed67b5072d142c588d0063e942d9a75502b6";

    #[test]
    fn a_target_is_printed_as_it_was_written() {
        for text in [
            "quic://127.0.0.1:7002".to_owned(),
            "quic://node.example:443".to_owned(),
            format!("quic://[::1]:7002?key={KEY}"),
        ] {
            assert_eq!(text.parse::<Target>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn what_is_wrong_is_said() {
        let cases = [
            ("quic://127.0.0.1".to_owned(), "the port is missing"),
            ("quic://127.0.0.1:0".to_owned(), "port 0 cannot be dialled"),
            ("quic://127.0.0.1:quic".to_owned(), "the port is not a number from 1 to 65535"),
            ("quic://:7002".to_owned(), "the host is missing"),
            ("quic://me@host:7002".to_owned(), "a user name has no place there"),
            ("quic://host:7002/path".to_owned(), "a path has no place there"),
            (format!("quic://host:7002?pin={KEY}"), "`pin` is not known, only `key` is"),
            (format!("quic://host:7002?key={KEY}&key={KEY}"), "`key` is there twice"),
            ("quic://host:7002?key=abc".to_owned(), "expected 64 hexadecimal digits"),
        ];
        for (text, reason) in cases {
            let message = text.parse::<Target>().unwrap_err().to_string();
            assert!(message.contains(reason), "{message}");
            assert!(message.contains("expected quic://host:port"), "{message}");
        }
    }
}
