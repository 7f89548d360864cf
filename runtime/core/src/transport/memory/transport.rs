use std::fmt;

use super::{Listening, NAME, bound, connection::Connection};
use crate::{
    Codec, ConnectOptions, Status,
    transport::{BindContext, BindError, Connected, Scheme, Transport},
};

crate::section! {
    /// Calls within the process; nothing is encoded.
    pub struct Config {
        /// Whether the node serves this transport.
        pub enabled: bool = false,
        /// The name in targets, memory://NAME. Of two nodes in one process, each needs its own.
        pub name: String = "node".to_owned(),
        /// Largest message in either direction, in bytes as protobuf, from 1 to 1 GiB.
        pub max_message_size: usize = 4_194_304,
        /// Most calls in progress per channel, which queues further ones.
        pub max_concurrent_streams: u32 = 1024,
    }
}

/// The transport: calls to a server in this process by its name.
#[derive(Clone, Copy, Debug)]
pub struct Memory;

/// A bound name: `memory://name`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Address(String);

const SCHEME: Scheme = Scheme { name: "memory", form: "memory://name" };

impl Address {
    /// The address of this name: ASCII letters, digits, `.`, `_` and `-`.
    ///
    /// # Errors
    /// What is wrong with the name.
    pub fn new(name: impl Into<String>) -> Result<Self, String> {
        let name = name.into();
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
        if name.is_empty() {
            return Err("the name is missing".to_owned());
        }
        if !name.bytes().all(plain) {
            return Err(format!("{name:?} is no name: ASCII letters, digits, `.`, `_` and `-` are one"));
        }
        Ok(Self(name))
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", SCHEME.name, self.0)
    }
}

impl Transport for Memory {
    type Config = Config;
    type Address = Address;
    type Bound = Listening;

    fn name(&self) -> &'static str {
        NAME
    }

    fn schemes(&self) -> &'static [Scheme] {
        &[SCHEME]
    }

    /// What a call says its codec is, where a message has come encoded from elsewhere.
    fn codec(&self) -> Codec {
        Codec::Protobuf
    }

    fn is_local(&self) -> bool {
        true
    }

    fn parse(&self, _: &'static str, rest: &str) -> Result<Address, String> {
        Address::new(rest)
    }

    async fn connect(&self, address: Address, options: ConnectOptions) -> Result<Connected, Status> {
        Ok(Connected::new(Connection::new(address, options.limits.unwrap_or_default())))
    }

    async fn bind(&self, config: Config, _: BindContext) -> Result<Listening, BindError> {
        bound::bind(config)
    }
}
