use std::{
    fs::{self, OpenOptions},
    io::{self, Write},
    os::unix::fs::{OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
};

use iroh_base::SecretKey;

use super::NodeError;

/// Who a node is: an Ed25519 key, made on first use and kept in the data directory.
///
/// The file `identity.key` holds the secret key's 32 bytes in hexadecimal. Only its owner may read it
/// (mode 0600); one that others may read is refused.
#[derive(Clone, Debug)]
pub struct Identity(SecretKey);

const FILE: &str = "identity.key";

impl Identity {
    /// Reads the identity from the data directory, or makes it, and the directory, if it is not there yet.
    ///
    /// # Errors
    /// When the directory cannot be made or written, or the file is malformed or readable by others.
    pub fn load_or_create(data_dir: &Path) -> Result<Self, NodeError> {
        let path = data_dir.join(FILE);
        match fs::read_to_string(&path) {
            Ok(text) => Self::parse(&path, &text),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Self::create(data_dir, &path),
            Err(error) => Err(problem(&path, format!("cannot be read: {error}"))),
        }
    }

    /// The node's id: the public key in hexadecimal, which is also its Iroh endpoint id.
    pub fn id(&self) -> String {
        self.0.public().to_string()
    }

    /// The secret key.
    pub fn secret_key(&self) -> &SecretKey {
        &self.0
    }

    fn parse(path: &Path, text: &str) -> Result<Self, NodeError> {
        let mode = fs::metadata(path).map_err(|error| problem(path, error.to_string()))?.permissions().mode()
            & 0o777;
        if mode & 0o077 != 0 {
            return Err(problem(path, format!("others may read it (mode {mode:04o}); expected mode 0600")));
        }
        let text = text.trim();
        let hexadecimal = text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        let key = hexadecimal.then(|| text.parse().ok()).flatten();
        key.map(Self).ok_or_else(|| {
            problem(
                path,
                "is not a key; expected 64 hexadecimal digits (remove the file for a new identity)"
                    .to_owned(),
            )
        })
    }

    fn create(data_dir: &Path, path: &Path) -> Result<Self, NodeError> {
        let key = SecretKey::generate();
        let text: String = key.to_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
        let write = || -> io::Result<()> {
            fs::create_dir_all(data_dir)?;
            // Under another name first: a crash must not leave half a key behind.
            let temporary = temporary(path);
            let _ = fs::remove_file(&temporary);
            let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&temporary)?;
            writeln!(file, "{text}")?;
            file.sync_all()?;
            // Linking, unlike renaming, fails where another process was faster: its key is the one to use.
            let linked = fs::hard_link(&temporary, path);
            fs::remove_file(&temporary)?;
            linked?;
            fs::File::open(data_dir)?.sync_all()
        };
        match write() {
            Ok(()) => Ok(Self(key)),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Self::load_or_create(data_dir),
            Err(error) => Err(problem(path, format!("cannot be written: {error}"))),
        }
    }
}

fn temporary(path: &Path) -> PathBuf {
    path.with_extension(format!("key.{}", std::process::id()))
}

fn problem(path: &Path, problem: String) -> NodeError {
    NodeError::Data { path: path.to_owned(), problem }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_identity_stays_and_is_its_owners_alone() {
        let directory = tempfile::tempdir().unwrap();
        let data = directory.path().join("data");
        let id = Identity::load_or_create(&data).unwrap().id();
        assert_eq!(Identity::load_or_create(&data).unwrap().id(), id);
        let mode = fs::metadata(data.join(FILE)).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o600);
        assert_eq!(fs::read_dir(&data).unwrap().count(), 1);
    }

    #[test]
    fn a_file_that_others_may_read_or_that_is_no_key_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join(FILE);
        Identity::load_or_create(directory.path()).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        let error = Identity::load_or_create(directory.path()).unwrap_err().to_string();
        assert!(error.contains("mode 0644"), "{error}");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        fs::write(&path, "not a key").unwrap();
        let error = Identity::load_or_create(directory.path()).unwrap_err().to_string();
        assert!(error.contains("64 hexadecimal digits"), "{error}");
    }
}
