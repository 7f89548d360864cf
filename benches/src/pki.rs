//! Certificates for one run.

use std::{
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use tempfile::TempDir;

use crate::contestant::Result;

/// The name that the certificate is for.
pub const HOST: &str = "localhost";

/// A server's certificate, and the authority that its clients trust. The files go with it.
#[derive(Debug)]
pub struct Pki {
    authority: Written,
    certificate: Written,
    key: Written,
    _directory: TempDir,
}

/// A PEM text, and the file it is in.
#[derive(Debug)]
pub struct Written {
    /// The text.
    pub pem: String,
    /// The file.
    pub path: PathBuf,
}

impl Pki {
    /// Makes them for `localhost` and 127.0.0.1.
    ///
    /// # Errors
    /// When they cannot be made or written.
    pub fn new() -> Result<Self> {
        let directory = TempDir::new()?;
        let mut params = CertificateParams::new(Vec::new())?;
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority = CertifiedIssuer::self_signed(params, KeyPair::generate()?)?;
        let key = KeyPair::generate()?;
        let params = CertificateParams::new(vec![HOST.to_owned(), "127.0.0.1".to_owned()])?;
        let certificate = params.signed_by(&key, &authority)?;
        Ok(Self {
            authority: write(&directory.path().join("authority.pem"), authority.pem())?,
            certificate: write(&directory.path().join("certificate.pem"), certificate.pem())?,
            key: write(&directory.path().join("key.pem"), key.serialize_pem())?,
            _directory: directory,
        })
    }

    /// The authority's certificate.
    pub fn authority(&self) -> &Written {
        &self.authority
    }

    /// The server's certificate.
    pub fn certificate(&self) -> &Written {
        &self.certificate
    }

    /// The server's private key.
    pub fn key(&self) -> &Written {
        &self.key
    }
}

fn write(path: &Path, pem: String) -> Result<Written> {
    std::fs::write(path, &pem)?;
    // A key that others can read is refused.
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600))?;
    Ok(Written { pem, path: path.to_owned() })
}
