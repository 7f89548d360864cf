//! Certificates of an authority that lives as long as a test.

use std::{
    ops::Range,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    time::SystemTime,
};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};

/// The files of a server that its clients trust through `authority`.
#[derive(Clone, Debug)]
pub struct Pki {
    /// The authority's certificate, PEM.
    pub authority: PathBuf,
    /// The server's certificate for its names, PEM.
    pub certificate: PathBuf,
    /// Its private key, PEM.
    pub key: PathBuf,
}

impl Pki {
    /// Writes the files of a server at `localhost` and 127.0.0.1 into the directory.
    ///
    /// # Panics
    /// When they cannot be made or written.
    pub fn new(directory: &Path) -> Self {
        Self::make(directory, &["localhost", "127.0.0.1"], |_| ())
    }

    /// Writes the files of a server with these names and addresses into the directory.
    ///
    /// # Panics
    /// When they cannot be made or written.
    pub fn of(directory: &Path, names: &[&str]) -> Self {
        Self::make(directory, names, |_| ())
    }

    /// The same as [`new`](Self::new), of a server's certificate that is valid for this time.
    ///
    /// # Panics
    /// When they cannot be made or written.
    pub fn valid(directory: &Path, time: Range<SystemTime>) -> Self {
        Self::make(directory, &["localhost", "127.0.0.1"], |params| {
            params.not_before = time.start.into();
            params.not_after = time.end.into();
        })
    }

    fn make(directory: &Path, names: &[&str], change: impl FnOnce(&mut CertificateParams)) -> Self {
        let mut params = CertificateParams::new(Vec::new()).expect("no names");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        // Another name than the server's: OpenSSL takes a certificate of its issuer's name for self-signed.
        params.distinguished_name.push(DnType::CommonName, "polywire test authority");
        let key = KeyPair::generate().expect("a key");
        let authority = CertifiedIssuer::self_signed(params, key).expect("a certificate");
        let names = Vec::from_iter(names.iter().map(ToString::to_string));
        let key = KeyPair::generate().expect("a key");
        let mut params = CertificateParams::new(names).expect("names");
        change(&mut params);
        let certificate = params.signed_by(&key, &authority).expect("a certificate");
        let write = |name: &str, text: String| {
            let path = directory.join(name);
            std::fs::write(&path, text).expect("a directory to write into");
            if name == "key.pem" {
                let mode = std::fs::Permissions::from_mode(0o600);
                std::fs::set_permissions(&path, mode).expect("the file is ours");
            }
            path
        };
        Self {
            authority: write("ca.pem", authority.pem()),
            certificate: write("cert.pem", certificate.pem()),
            key: write("key.pem", key.serialize_pem()),
        }
    }
}
