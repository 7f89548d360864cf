use std::sync::Arc;

use rustls::{
    Error, InconsistentKeys, SignatureScheme,
    crypto::ring,
    pki_types::{CertificateDer, PrivatePkcs8KeyDer},
    sign::{CertifiedKey, SigningKey},
};

use super::{
    PublicKey,
    der::{
        BIT_STRING, GENERALIZED_TIME, INTEGER, OBJECT_IDENTIFIER, OCTET_STRING, SEQUENCE, SET, UTC_TIME,
        UTF8_STRING, element, explicit, implicit,
    },
};

/// The key pair of a node, as TLS shows it: as a raw public key
/// ([RFC 7250](https://www.rfc-editor.org/rfc/rfc7250)), or as a certificate that it has signed itself.
#[derive(Clone, Debug)]
pub(crate) struct NodeKey {
    pub(crate) public: PublicKey,
    secret: Arc<dyn SigningKey>,
    spki: Vec<u8>,
}

/// What precedes the 32 bytes of an Ed25519 private key in PKCS #8
/// ([RFC 8410](https://www.rfc-editor.org/rfc/rfc8410#section-7), section 7).
const PKCS8_PREFIX: [u8; 16] =
    [0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20];

/// The one signature that these keys make.
pub(crate) const SCHEME: SignatureScheme = SignatureScheme::ED25519;

/// `id-Ed25519`, 1.3.101.112 (RFC 8410, section 3).
const ED25519: &[u8] = &[0x2b, 0x65, 0x70];
/// `id-at-commonName`, 2.5.4.3.
const COMMON_NAME: &[u8] = &[0x55, 0x04, 0x03];
/// `id-ce-subjectAltName`, 2.5.29.17.
const SUBJECT_ALTERNATIVE_NAME: &[u8] = &[0x55, 0x1d, 0x11];

/// The DNS name in the certificate, for clients that verify one in spite of a pinned certificate. It is a name of no host.
const NAME: &[u8] = b"node.polywire.invalid";

impl NodeKey {
    /// That of this Ed25519 secret key.
    ///
    /// # Errors
    /// Those of the cryptography; each 32 bytes are a secret key (RFC 8032, section 5.1.5).
    pub(crate) fn new(secret_key: &[u8; 32]) -> Result<Self, Error> {
        let pkcs8 = [&PKCS8_PREFIX[..], secret_key].concat();
        let secret = ring::sign::any_eddsa_type(&PrivatePkcs8KeyDer::from(pkcs8))?;
        let spki = secret.public_key().map(|spki| spki.to_vec());
        let spki = spki.ok_or(Error::InconsistentKeys(InconsistentKeys::Unknown))?;
        let public = PublicKey::of_spki(&spki).ok_or(Error::General("the key is not Ed25519".to_owned()))?;
        Ok(Self { public, secret, spki })
    }

    /// The raw public key.
    pub(crate) fn raw(&self) -> Arc<CertifiedKey> {
        Arc::new(CertifiedKey::new(vec![CertificateDer::from(self.spki.clone())], self.secret.clone()))
    }

    /// A certificate of the key, which is always the same one, and valid at all times: only the key says something.
    ///
    /// # Errors
    /// Those of the cryptography.
    pub(crate) fn certificate(&self) -> Result<Arc<CertifiedKey>, Error> {
        let signed = self.to_be_signed();
        let signer = self.secret.choose_scheme(&[SCHEME]);
        let signature = signer.ok_or(Error::General("the key does not sign".to_owned()))?.sign(&signed)?;
        let certificate =
            element(SEQUENCE, &[&signed, &algorithm(), &element(BIT_STRING, &[&[0], &signature])]);
        Ok(Arc::new(CertifiedKey::new(vec![CertificateDer::from(certificate)], self.secret.clone())))
    }

    /// `TBSCertificate` of [RFC 5280, section 4.1](https://www.rfc-editor.org/rfc/rfc5280#section-4.1).
    fn to_be_signed(&self) -> Vec<u8> {
        let version_3 = element(explicit(0), &[&element(INTEGER, &[&[2]])]);
        let serial = element(INTEGER, &[&[1]]);
        let common_name = [
            element(OBJECT_IDENTIFIER, &[COMMON_NAME]),
            element(UTF8_STRING, &[self.public.to_string().as_bytes()]),
        ];
        let common_name = element(SEQUENCE, &[&common_name[0], &common_name[1]]);
        let name = element(SEQUENCE, &[&element(SET, &[&common_name])]);
        // "No well-defined expiration date" is that year's end (RFC 5280, section 4.1.2.5).
        let times =
            [element(UTC_TIME, &[b"700101000000Z"]), element(GENERALIZED_TIME, &[b"99991231235959Z"])];
        let validity = element(SEQUENCE, &[&times[0], &times[1]]);
        let names = element(SEQUENCE, &[&element(implicit(2), &[NAME])]);
        let extension =
            [element(OBJECT_IDENTIFIER, &[SUBJECT_ALTERNATIVE_NAME]), element(OCTET_STRING, &[&names])];
        let extension = element(SEQUENCE, &[&extension[0], &extension[1]]);
        let extensions = element(explicit(3), &[&element(SEQUENCE, &[&extension])]);
        let fields: [&[u8]; 8] =
            [&version_3, &serial, &algorithm(), &name, &validity, &name, &self.spki, &extensions];
        element(SEQUENCE, &fields)
    }
}

fn algorithm() -> Vec<u8> {
    element(SEQUENCE, &[&element(OBJECT_IDENTIFIER, &[ED25519])])
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use rustls::server::ParsedCertificate;

    use super::{super::x509::X509, *};

    #[test]
    fn the_certificate_is_of_the_key_alone_and_rustls_reads_it() {
        let key = NodeKey::new(&[7; 32]).unwrap();
        let certificate = key.certificate().unwrap();
        certificate.keys_match().unwrap();
        assert_eq!(certificate.cert, key.certificate().unwrap().cert, "always the same");
        let der = &certificate.cert[0];
        ParsedCertificate::try_from(der).unwrap();
        let read = X509::read(der).unwrap();
        assert_eq!(read.own_key(), Some(key.public));
        assert!(read.is_valid_at(SystemTime::UNIX_EPOCH) && read.is_valid_at(SystemTime::now()));
        assert_eq!(PublicKey::of_spki(&key.raw().cert[0]), Some(key.public));
    }
}
