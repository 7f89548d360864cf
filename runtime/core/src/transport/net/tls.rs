use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::danger::ClientCertVerifier;
use rustls::server::{ParsedCertificate, WebPkiClientVerifier};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{InconsistentKeys, RootCertStore, ServerConfig};

use crate::private_file;

/// The PEM files that a TLS server needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsFiles {
    /// The server's certificate, followed by the intermediates up to but without the root.
    pub certificate_chain: PathBuf,
    /// The private key of the first certificate, in PKCS #8, PKCS #1 (RSA) or SEC1 (EC). Only its owner may read the file
    /// (mode 0600).
    pub private_key: PathBuf,
    /// Certificates of the authorities that sign clients. When set, a client must show a certificate of
    /// theirs.
    pub client_authorities: Option<PathBuf>,
}

/// The protocol that is negotiated in the TLS handshake ([RFC 7301](https://www.rfc-editor.org/rfc/rfc7301)).
///
/// A client that offers others only is refused in the handshake; one that offers none is served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Alpn {
    /// `h2`, for [`Listener::serve_http2`](super::Listener::serve_http2).
    Http2,
    /// `http/1.1`, for [`Listener::serve_http1`](super::Listener::serve_http1).
    Http1,
}

/// Why [`TlsFiles::load`] failed. Every message names the file and what was expected in it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TlsError {
    /// A file cannot be read.
    #[error("cannot read {expected} from {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What it should hold.
        expected: &'static str,
        /// The operating system's reason.
        source: io::Error,
    },
    /// A file is there but holds nothing of the kind.
    #[error("{} holds no PEM section for {expected}", path.display())]
    Missing {
        /// The file.
        path: PathBuf,
        /// What it should hold.
        expected: &'static str,
    },
    /// A file is not well-formed PEM.
    #[error("{}, which should hold {expected}, is not valid PEM: {source}", path.display())]
    Pem {
        /// The file.
        path: PathBuf,
        /// What it should hold.
        expected: &'static str,
        /// Where it breaks.
        source: pem::Error,
    },
    /// A certificate cannot be used, whatever the key.
    #[error("the certificate in {} cannot be used: it {problem}", path.display())]
    Certificate {
        /// The file.
        path: PathBuf,
        /// What is wrong with it, and what was expected.
        problem: String,
    },
    /// A private key is in a file that others than its owner can read.
    #[error("the private key in {} is {problem}", path.display())]
    Exposed {
        /// The file.
        path: PathBuf,
        /// Its mode, and what was expected.
        problem: String,
    },
    /// A private key is encrypted, and no passphrase can be asked for.
    #[error(
        "the private key in {} is encrypted; expected one without a passphrase, as `openssl pkey -in FILE` writes it",
        path.display()
    )]
    Encrypted {
        /// The file.
        path: PathBuf,
    },
    /// A private key cannot be used, whatever the certificate.
    #[error("the private key in {} cannot be used: {source}", path.display())]
    Key {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: rustls::Error,
    },
    /// Certificate and key are readable but cannot be used together.
    #[error(
        "the private key in {} cannot be used with the first certificate in {}: {source}",
        private_key.display(), certificate_chain.display()
    )]
    Pair {
        /// The file with the certificates.
        certificate_chain: PathBuf,
        /// The file with the key.
        private_key: PathBuf,
        /// What does not fit.
        source: rustls::Error,
    },
    /// A certificate of a clients' authority cannot be used.
    #[error("{} holds a certificate that cannot be used to verify clients: {source}", path.display())]
    Authority {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

const CHAIN: &str = "the server's certificate chain";
const KEY: &str = "the server's private key";
const AUTHORITIES: &str = "the certificates of the clients' authorities";

impl TlsFiles {
    /// Reads the files and builds a configuration for TLS 1.2 and 1.3 with ring's cryptography.
    ///
    /// Blocks on the file system; meant for the start of a process. (The listeners of a node read their files again when
    /// these change.)
    ///
    /// # Errors
    /// A file is unreadable, empty of what it should hold, or does not fit the others: see [`TlsError`].
    pub fn load(&self, alpn: Alpn) -> Result<Arc<ServerConfig>, TlsError> {
        let provider = Arc::new(ring::default_provider());
        let builder = ServerConfig::builder_with_provider(provider.clone())
            .with_safe_default_protocol_versions()
            .expect("ring has suites for TLS 1.2 and 1.3");
        let builder = match &self.client_authorities {
            None => builder.with_no_client_auth(),
            Some(path) => {
                builder.with_client_cert_verifier(client_verifier(std::slice::from_ref(path), provider)?)
            }
        };
        let mut config = builder.with_cert_resolver(Arc::new(SingleCertAndKey::from(self.pair()?)));
        config.alpn_protocols = vec![alpn.id().to_vec()];
        Ok(Arc::new(config))
    }

    /// The certificate chain and its key.
    pub(super) fn pair(&self) -> Result<Arc<CertifiedKey>, TlsError> {
        let chain = certificates(&self.certificate_chain, CHAIN)?;
        for certificate in &chain {
            self.check(certificate)?;
        }
        let key = private_key(&self.private_key)?;
        let signing = ring::default_provider().key_provider.load_private_key(key);
        let signing = signing.map_err(|source| TlsError::Key { path: self.private_key.clone(), source })?;
        let key = CertifiedKey::new(chain, signing);
        match key.keys_match() {
            // Of a key that does not tell its public half, nothing more can be said.
            Ok(()) | Err(rustls::Error::InconsistentKeys(InconsistentKeys::Unknown)) => Ok(Arc::new(key)),
            Err(rustls::Error::InvalidCertificate(error)) => Err(TlsError::Certificate {
                path: self.certificate_chain.clone(),
                problem: error.to_string(),
            }),
            Err(source) => Err(TlsError::Pair {
                certificate_chain: self.certificate_chain.clone(),
                private_key: self.private_key.clone(),
                source,
            }),
        }
    }

    /// Whether a certificate can be read, and has the names that it is for.
    fn check(&self, certificate: &CertificateDer<'_>) -> Result<(), TlsError> {
        let Err(error) = ParsedCertificate::try_from(certificate) else { return Ok(()) };
        let problem = match version(certificate) {
            Some(version) if version < 3 => {
                format!("is X.509 v{version}; expected v3, which holds the names that it is for")
            }
            _ => format!("is not X.509 v3: {error}"),
        };
        Err(TlsError::Certificate { path: self.certificate_chain.clone(), problem })
    }
}

/// The version of a certificate ([RFC 5280, section 4.1](https://www.rfc-editor.org/rfc/rfc5280#section-4.1)): its first
/// field, under the tag `[0]`, which counts from zero and is not there in v1. `None` for other bytes.
fn version(certificate: &[u8]) -> Option<u8> {
    let to_be_signed = inside(inside(certificate)?)?;
    match to_be_signed {
        [0xa0, 3, 2, 1, version, ..] => version.checked_add(1),
        [0xa0, ..] => None,
        _ => Some(1),
    }
}

/// What is in the DER `SEQUENCE` that begins here.
fn inside(der: &[u8]) -> Option<&[u8]> {
    let (&[0x30, length], rest) = der.split_first_chunk::<2>()? else { return None };
    // Above 127, it is how many bytes the length takes.
    rest.get(length.checked_sub(0x80).map_or(0, usize::from)..)
}

impl Alpn {
    fn id(self) -> &'static [u8] {
        match self {
            Self::Http2 => b"h2",
            Self::Http1 => b"http/1.1",
        }
    }
}

fn certificates(path: &Path, expected: &'static str) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let text = read(path, expected)?;
    let found: Vec<_> = CertificateDer::pem_slice_iter(&text)
        .collect::<Result<_, _>>()
        .map_err(|source| TlsError::Pem { path: path.to_owned(), expected, source })?;
    if found.is_empty() {
        return Err(TlsError::Missing { path: path.to_owned(), expected });
    }
    Ok(found)
}

fn private_key(path: &Path) -> Result<PrivateKeyDer<'static>, TlsError> {
    let text = read(path, KEY)?;
    if is_encrypted(&text) {
        return Err(TlsError::Encrypted { path: path.to_owned() });
    }
    let key = PrivateKeyDer::from_pem_slice(&text).map_err(|source| match source {
        pem::Error::NoItemsFound => TlsError::Missing { path: path.to_owned(), expected: KEY },
        source => TlsError::Pem { path: path.to_owned(), expected: KEY, source },
    })?;
    private_file::check(path)
        .map_err(|error| TlsError::Exposed { path: path.to_owned(), problem: error.to_string() })?;
    Ok(key)
}

/// Whether a key is encrypted: in PKCS #8 ([RFC 7468](https://www.rfc-editor.org/rfc/rfc7468#section-11), section 11), or in
/// the forms before it ([RFC 1421](https://www.rfc-editor.org/rfc/rfc1421#section-4.6.1.1), section 4.6.1.1).
fn is_encrypted(text: &[u8]) -> bool {
    let text = String::from_utf8_lossy(text);
    text.lines().any(|line| {
        line.trim_end() == "-----BEGIN ENCRYPTED PRIVATE KEY-----"
            || line.starts_with("Proc-Type:") && line.contains("ENCRYPTED")
    })
}

fn read(path: &Path, expected: &'static str) -> Result<Vec<u8>, TlsError> {
    std::fs::read(path).map_err(|source| TlsError::Read { path: path.to_owned(), expected, source })
}

/// Verifies certificates that the authorities in one of these files have signed.
pub(super) fn client_verifier(
    files: &[PathBuf],
    provider: Arc<CryptoProvider>,
) -> Result<Arc<dyn ClientCertVerifier>, TlsError> {
    let unusable = |path: &PathBuf, source| TlsError::Authority { path: path.clone(), source };
    let mut roots = RootCertStore::empty();
    for path in files {
        for certificate in certificates(path, AUTHORITIES)? {
            roots.add(certificate).map_err(|error| unusable(path, error.into()))?;
        }
    }
    let last = files.last().cloned().unwrap_or_default();
    WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider)
        .build()
        .map_err(|error| unusable(&last, error.into()))
}
