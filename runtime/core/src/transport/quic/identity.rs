use std::fmt;

use super::PublicKey;
use crate::{ConnectOptions, transport::net};

/// The key with which a caller proves who it is over QUIC: there it is the
/// [`Caller::identity`](crate::Caller::identity). It goes into
/// [`ConnectOptions::with`](crate::ConnectOptions::with), and goes before
/// [`ConnectOptions::secret_key`](crate::ConnectOptions::secret_key), which is for all transports; without both, callers
/// are anonymous.
#[derive(Clone)]
pub struct Identity {
    secret_key: [u8; 32],
}

impl Identity {
    /// The identity with this Ed25519 secret key.
    pub fn new(secret_key: [u8; 32]) -> Self {
        Self { secret_key }
    }

    /// What servers know it by.
    pub fn public_key(&self) -> PublicKey {
        // Each 32 bytes are a secret key (RFC 8032, section 5.1.5).
        net::public_key(&self.secret_key).expect("an Ed25519 key is made of any 32 bytes")
    }

    /// The secret key of a caller with these options.
    pub(super) fn secret_key(options: &ConnectOptions) -> Option<[u8; 32]> {
        options.get::<Self>().map(|identity| identity.secret_key).or(options.secret_key)
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identity").finish_non_exhaustive()
    }
}
