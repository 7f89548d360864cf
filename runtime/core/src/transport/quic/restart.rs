//! What tells callers at once that a node was restarted: it answers packets of connections that it does not know with a
//! stateless reset ([RFC 9000, 10.3](https://www.rfc-editor.org/rfc/rfc9000#section-10.3)), and by a key that comes from
//! its own, so that the process before it has promised the same.

use std::{
    fmt,
    hash::{BuildHasher as _, RandomState},
    sync::Arc,
    time::Duration,
};

use quinn::{
    ConnectionId, ConnectionIdGenerator, EndpointConfig,
    crypto::{CryptoError, HmacKey},
    rustls::crypto::{
        hmac::Tag,
        ring::cipher_suite::TLS13_AES_128_GCM_SHA256,
        tls13::{Hkdf, OkmBlock},
    },
};

/// The configuration of an endpoint of the node with this secret key.
pub(super) fn endpoint_config(secret_key: &[u8; 32]) -> EndpointConfig {
    let Some(suite) = TLS13_AES_128_GCM_SHA256.tls13() else { return EndpointConfig::default() };
    let of = |purpose: &[u8]| {
        let own = suite.hkdf_provider.hmac_sign(&OkmBlock::new(secret_key), purpose);
        Key { hash: suite.hkdf_provider, key: Arc::new(OkmBlock::new(own.as_ref())) }
    };
    let mut config = EndpointConfig::new(Arc::new(of(b"polywire QUIC stateless reset")));
    let ids = of(b"polywire QUIC connection ids");
    config.cid_generator(move || Box::new(Ids::new(ids.clone())));
    config
}

/// A key of HMAC-SHA256.
#[derive(Clone)]
struct Key {
    hash: &'static dyn Hkdf,
    key: Arc<OkmBlock>,
}

impl Key {
    fn tag(&self, data: &[u8]) -> Tag {
        self.hash.hmac_sign(&self.key, data)
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Key").finish_non_exhaustive()
    }
}

/// How long an HMAC-SHA256 is, in bytes.
const TAG: usize = 32;

impl HmacKey for Key {
    fn sign(&self, data: &[u8], signature_out: &mut [u8]) {
        signature_out.copy_from_slice(&self.tag(data).as_ref()[..signature_out.len()]);
    }

    fn signature_len(&self) -> usize {
        TAG
    }

    fn verify(&self, data: &[u8], signature: &[u8]) -> Result<(), CryptoError> {
        // Peers compare the tokens that they were promised; nothing else is signed with this key.
        if self.tag(data).as_ref() == signature { Ok(()) } else { Err(CryptoError) }
    }
}

/// Makes connection ids that say nothing of the process that made them. quinn's default makes such as no other process
/// takes for one, and so answers nothing that was meant for the process before.
#[derive(Debug)]
struct Ids {
    key: Key,
    /// Drawn for each endpoint.
    nonce: u64,
    count: u64,
}

impl Ids {
    fn new(key: Key) -> Self {
        // Seeded by the operating system.
        Self { key, nonce: RandomState::new().hash_one(()), count: 0 }
    }
}

/// How many bytes an id has.
const LENGTH: usize = 8;

impl ConnectionIdGenerator for Ids {
    fn generate_cid(&mut self) -> ConnectionId {
        self.count += 1;
        let seed = [self.nonce.to_be_bytes(), self.count.to_be_bytes()].concat();
        ConnectionId::new(&self.key.tag(&seed).as_ref()[..LENGTH])
    }

    fn cid_len(&self) -> usize {
        LENGTH
    }

    fn cid_lifetime(&self) -> Option<Duration> {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_the_nodes_and_the_same_in_each_of_its_processes() {
        let suite = TLS13_AES_128_GCM_SHA256.tls13().unwrap();
        let of = |key: &[u8; 32]| Key { hash: suite.hkdf_provider, key: Arc::new(OkmBlock::new(key)) };
        let token = |key: &Key| {
            let mut token = [0; 16];
            key.sign(b"an id", &mut token);
            token
        };
        let (one, again, other) = (of(&[1; 32]), of(&[1; 32]), of(&[2; 32]));
        assert_eq!(token(&one), token(&again));
        assert_ne!(token(&one), token(&other));
        let mut signature = [0; TAG];
        one.sign(b"an id", &mut signature);
        assert!(again.verify(b"an id", &signature).is_ok() && other.verify(b"an id", &signature).is_err());
    }

    #[test]
    fn ids_differ_and_are_of_the_length_that_is_said() {
        let suite = TLS13_AES_128_GCM_SHA256.tls13().unwrap();
        let key = Key { hash: suite.hkdf_provider, key: Arc::new(OkmBlock::new(&[1; 32])) };
        let (mut ids, mut others) = (Ids::new(key.clone()), Ids::new(key));
        let made = [ids.generate_cid(), ids.generate_cid(), others.generate_cid()];
        assert!(made[0] != made[1] && made[0] != made[2], "{made:?}");
        assert!(made.iter().all(|id| id.len() == ids.cid_len()));
    }
}
