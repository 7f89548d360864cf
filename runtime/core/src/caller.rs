//! The caller of a call, and what proves who it is.

mod proving;
mod subject;

use std::{fmt, net::SocketAddr, str::FromStr, time::SystemTime};

use self::{
    proving::LastProved,
    subject::{Escaped, unescaped},
};

/// The caller of a call, as known to the transport.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Caller {
    /// The transport of the call, such as `grpc` or `iroh`.
    pub transport: &'static str,
    /// The identity that the peer has proved: by its connection, or else by the call's metadata; `None` if it proved none.
    pub identity: Option<Identity>,
    /// When what the connection has shown for its identity is no longer valid, such as the end of an X.509 certificate; `None` if
    /// it has no end. [Access control](crate::access) counts the identity until then.
    pub identity_expires: Option<SystemTime>,
    /// The identities that the call's metadata prove, such as that of a token, in the order in which the listener's access
    /// control has verified them.
    pub credentials: Vec<Identity>,
    /// The identities that a gateway on this machine says its own caller has proved. They are its word, and no proof to this
    /// listener: the rules of its [access control](crate::access) decide by them, within what the gateway itself may call, and
    /// [`require`](Self::require) does not count them.
    pub forwarded: Vec<Identity>,
    /// The peer's address, in the transport's notation.
    pub address: Option<String>,
    /// Whether the peer is on this machine and of its owner: it calls from a loopback address, within the process, or over
    /// a Unix socket with the uid of this process.
    pub is_local: bool,
    /// The same caller with the credential of its last call.
    last_proved: LastProved,
}

impl Caller {
    /// A caller over this transport of which nothing is known yet.
    pub const fn new(transport: &'static str) -> Self {
        Self {
            transport,
            identity: None,
            identity_expires: None,
            credentials: Vec::new(),
            forwarded: Vec::new(),
            address: None,
            is_local: false,
            last_proved: LastProved::none(),
        }
    }

    /// The same, with an identity that the peer has proved to the transport.
    #[must_use]
    pub fn with_identity(mut self, identity: Identity) -> Self {
        self.identity = Some(identity);
        self
    }

    /// The same, with an identity that the peer has proved to the transport by what is valid until this time.
    #[must_use]
    pub fn with_identity_until(mut self, identity: Identity, expires: SystemTime) -> Self {
        self.identity_expires = Some(expires);
        self.with_identity(identity)
    }

    /// Whether what the connection has shown for its identity is no longer valid.
    pub(crate) fn has_expired(&self) -> bool {
        self.identity_expires.is_some_and(|expires| expires <= SystemTime::now())
    }

    /// The same, with an identity that the call's metadata prove.
    #[must_use]
    pub fn with_credential(mut self, identity: Identity) -> Self {
        if self.identity.is_none() {
            self.identity = Some(identity.clone());
        }
        self.credentials.push(identity);
        self
    }

    /// Every identity that the caller has proved, by its connection and by the call's metadata.
    pub fn identities(&self) -> impl Iterator<Item = &Identity> {
        let first = self.identity.iter();
        first.chain(self.credentials.iter().filter(|credential| Some(*credential) != self.identity.as_ref()))
    }

    /// The same, at this address, in the transport's notation.
    #[must_use]
    pub fn with_address(mut self, address: impl Into<String>) -> Self {
        self.address = Some(address.into());
        self
    }

    /// The same, at the other end of a connection from this address. It is local if the address is a loopback address.
    #[must_use]
    pub fn at(mut self, remote: SocketAddr) -> Self {
        self.is_local = remote.ip().to_canonical().is_loopback();
        self.address = Some(remote.to_string());
        self
    }

    /// The same, on this machine and of its owner.
    #[must_use]
    pub const fn local(mut self) -> Self {
        self.is_local = true;
        self
    }
}

/// A proven identity. Its text form, by [`Display`](fmt::Display) and [`FromStr`], is that of the configuration's
/// `[[access.allow]] who`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Identity {
    /// A node's Ed25519 public key, which is its Iroh endpoint id: `key:` and 64 hexadecimal digits. Proved on Iroh, and by
    /// TLS with the raw key or a certificate of it.
    Key([u8; 32]),
    /// The SPIFFE id of an X.509 certificate that a configured authority signed: `spiffe://trust-domain/path`.
    Spiffe(String),
    /// The first DNS name of such a certificate, if it has no SPIFFE id: `dns:api.example.org`.
    Dns(String),
    /// The user id of the calling process, from the kernel, over a Unix socket: `uid:1000`.
    Uid(u32),
    /// The name of a token that this node's cluster has issued: `token:NAME`.
    Token(String),
    /// The subject of a JSON Web Token of a configured issuer: `jwt:ISSUER/SUBJECT`. In the subject `/`, `%`, `*` and what is not
    /// printable ASCII are percent-encoded.
    Jwt {
        /// The claim `iss`.
        issuer: String,
        /// The claim `sub`.
        subject: String,
    },
}

impl Identity {
    /// The node's key, if the identity is one.
    pub const fn key(&self) -> Option<&[u8; 32]> {
        match self {
            Self::Key(key) => Some(key),
            _ => None,
        }
    }
}

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Key(key) => {
                f.write_str("key:")?;
                key.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
            }
            Self::Spiffe(id) => f.write_str(id),
            Self::Dns(name) => write!(f, "dns:{name}"),
            Self::Uid(uid) => write!(f, "uid:{uid}"),
            Self::Token(name) => write!(f, "token:{name}"),
            Self::Jwt { issuer, subject } => write!(f, "jwt:{issuer}/{}", Escaped(subject)),
        }
    }
}

/// The text is no [`Identity`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvalidIdentity(String);

impl fmt::Display for InvalidIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "invalid identity {:?}; expected key:NODE_ID, spiffe://TRUST_DOMAIN/PATH, dns:NAME, uid:NUMBER, token:NAME or \
             jwt:ISSUER/SUBJECT",
            self.0
        )
    }
}

impl std::error::Error for InvalidIdentity {}

impl FromStr for Identity {
    type Err = InvalidIdentity;

    fn from_str(text: &str) -> Result<Self, InvalidIdentity> {
        parse(text).ok_or_else(|| InvalidIdentity(text.to_owned()))
    }
}

fn parse(text: &str) -> Option<Identity> {
    if text.len() > "spiffe://".len() && text.starts_with("spiffe://") {
        return Some(Identity::Spiffe(text.to_owned()));
    }
    let (kind, value) = text.split_once(':').filter(|(_, value)| !value.is_empty())?;
    Some(match kind {
        "key" => Identity::Key(parse_key(value)?),
        "dns" => Identity::Dns(value.to_ascii_lowercase()),
        "uid" => Identity::Uid(value.parse().ok()?),
        "token" => Identity::Token(value.to_owned()),
        "jwt" => {
            let (issuer, subject) = value.rsplit_once('/')?;
            let (issuer, subject) = (issuer.to_owned(), unescaped(subject)?);
            let named = !issuer.is_empty() && !subject.is_empty();
            named.then_some(Identity::Jwt { issuer, subject })?
        }
        _ => return None,
    })
}

/// 32 bytes from 64 hexadecimal digits.
fn parse_key(text: &str) -> Option<[u8; 32]> {
    if text.len() != 64 || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    let mut key = [0; 32];
    for (byte, digits) in key.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?;
    }
    Some(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_identity_is_read_as_it_is_written() {
        let key = format!("key:{}", "0a".repeat(32));
        for text in [
            &*key,
            "spiffe://example.org/ns/a",
            "dns:api.example.org",
            "uid:0",
            "token:ci",
            "jwt:https://idp/me",
            "jwt:https://idp/repo:a%2Fb:ref",
        ] {
            let identity: Identity = text.parse().unwrap();
            assert_eq!(identity.to_string(), text);
        }
    }

    #[test]
    fn a_malformed_identity_names_the_text_and_the_forms() {
        for text in [
            "",
            "key:",
            "key:0a",
            "spiffe://",
            "uid:-1",
            "uid:x",
            "jwt:me",
            "jwt:/me",
            "jwt:a/%",
            "name:me",
            "me",
        ] {
            let error = text.parse::<Identity>().unwrap_err().to_string();
            assert!(
                error.starts_with(&format!("invalid identity {text:?}; expected key:NODE_ID")),
                "{error}"
            );
        }
    }

    #[test]
    fn a_caller_from_a_loopback_address_is_local() {
        for (address, local) in
            [("127.0.0.1:1", true), ("[::1]:1", true), ("[::ffff:127.0.0.1]:1", true), ("10.0.0.1:1", false)]
        {
            let caller = Caller::new("grpc").at(address.parse().unwrap());
            assert_eq!(caller.is_local, local, "{address}");
        }
    }
}
