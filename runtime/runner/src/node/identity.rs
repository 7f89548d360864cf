use std::{
    fs::{self, OpenOptions},
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    path::Path,
    time::Duration,
};

use iroh_base::SecretKey;
use polywire_core::__runner::private_file;

use super::{NodeError, WithoutData};

/// The identity of a node: an Ed25519 key, created on first use and kept in the data directory.
///
/// The file `identity.key` holds the 32 bytes of the secret key in hexadecimal. Only its owner may read it (mode 0600); a
/// file with other permissions is refused.
#[derive(Clone, Debug)]
pub struct Identity(SecretKey);

const FILE: &str = "identity.key";

impl Identity {
    /// Reads the identity from the data directory. Creates it, and the directory, if it does not exist.
    ///
    /// # Errors
    /// If the directory cannot be created or written, or the file is malformed or readable by others.
    pub fn load_or_create(data_dir: &Path) -> Result<Self, NodeError> {
        let path = data_dir.join(FILE);
        clear(data_dir);
        match Self::read(&path)? {
            Some(identity) => Ok(identity),
            None => Self::create(data_dir, &path),
        }
    }

    /// Reads the identity in this file.
    ///
    /// # Errors
    /// If the file is absent, malformed or readable by others.
    pub fn load(file: &Path) -> Result<Self, NodeError> {
        let absent =
            || problem(file, "cannot be read: it does not exist; expected an identity.key".to_owned());
        Self::read(file)?.ok_or_else(absent)
    }

    /// The node's id: the public key in hexadecimal, which is also the Iroh endpoint id.
    pub fn id(&self) -> String {
        self.0.public().to_string()
    }

    /// The secret key.
    pub fn secret_key(&self) -> &SecretKey {
        &self.0
    }

    fn read(path: &Path) -> Result<Option<Self>, NodeError> {
        match fs::read_to_string(path) {
            Ok(text) => Self::parse(path, &text).map(Some),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(problem(path, format!("cannot be read: {error}"))),
        }
    }

    fn parse(path: &Path, text: &str) -> Result<Self, NodeError> {
        private_file::check(path).map_err(|error| problem(path, error.to_string()))?;
        let text = text.trim();
        let hexadecimal = text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        let key = hexadecimal.then(|| text.parse().ok()).flatten();
        key.map(Self).ok_or_else(|| {
            problem(
                path,
                "invalid key; expected 64 hexadecimal digits (remove the file to create a new identity)"
                    .to_owned(),
            )
        })
    }

    fn create(data_dir: &Path, path: &Path) -> Result<Self, NodeError> {
        let identity = Self(SecretKey::generate());
        match identity.store(data_dir, path) {
            Ok(true) => Ok(identity),
            // Another process has created the key in the meantime.
            Ok(false) => Self::read(path)?.ok_or_else(|| {
                problem(
                    path,
                    "is a link to a file that does not exist; expected a file or no entry".to_owned(),
                )
            }),
            Err(error) => Err(problem(path, format!("cannot be written: {error}"))),
        }
    }

    /// Writes the key; `false` if the file already exists.
    fn store(&self, data_dir: &Path, path: &Path) -> io::Result<bool> {
        fs::create_dir_all(data_dir)?;
        // Before the key: one without the mark has had data.
        WithoutData::of(data_dir).set()?;
        // Written under another name first, so that a crash does not leave half a key. The name contains the key's id, as
        // processes in two containers may have the same process id.
        let temporary = path.with_extension(format!("key.{:.16}", self.id()));
        let text: String = self.0.to_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
        let written = write_new(&temporary, &text);
        // Linking, unlike renaming, fails if the file exists.
        let linked = written.and_then(|()| fs::hard_link(&temporary, path));
        let _ = fs::remove_file(&temporary);
        match linked {
            Ok(()) => fs::File::open(data_dir)?.sync_all().map(|()| true),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
            Err(error) => Err(error),
        }
    }
}

/// The age at which a temporary key file is a leftover of a killed process: linking takes no longer than a disk access.
const ABANDONED: Duration = Duration::from_secs(60);

/// Removes temporary key files of killed processes.
fn clear(data_dir: &Path) {
    for entry in fs::read_dir(data_dir).into_iter().flatten().flatten() {
        let is_ours = entry.file_name().as_encoded_bytes().starts_with(b"identity.key.");
        let age = entry.metadata().and_then(|metadata| metadata.modified()).map(|at| at.elapsed());
        if is_ours && age.is_ok_and(|age| age.is_ok_and(|age| age >= ABANDONED)) {
            // A leftover does not prevent the start.
            let _ = fs::remove_file(entry.path());
        }
    }
}

fn write_new(path: &Path, text: &str) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    writeln!(file, "{text}")?;
    file.sync_all()
}

fn problem(path: &Path, problem: String) -> NodeError {
    NodeError::Data { path: path.to_owned(), problem }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn an_identity_stays_and_is_its_owners_alone() {
        let directory = tempfile::tempdir().unwrap();
        let data = directory.path().join("data");
        let id = Identity::load_or_create(&data).unwrap().id();
        assert_eq!(Identity::load_or_create(&data).unwrap().id(), id);
        let mode = fs::metadata(data.join(FILE)).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o600);
        assert!(WithoutData::of(&data).is_set());
        assert_eq!(fs::read_dir(&data).unwrap().count(), 2);
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

    #[test]
    fn a_link_that_leads_nowhere_is_an_error() {
        let directory = tempfile::tempdir().unwrap();
        std::os::unix::fs::symlink("nowhere", directory.path().join(FILE)).unwrap();
        let error = Identity::load_or_create(directory.path()).unwrap_err().to_string();
        assert!(error.contains("a link to a file that does not exist"), "{error}");
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 2);
    }

    #[test]
    fn a_key_that_a_killed_process_left_is_removed_and_one_that_is_being_made_is_not() {
        let directory = tempfile::tempdir().unwrap();
        let path = |name: &str| directory.path().join(name);
        for name in ["identity.key.old", "identity.key.new"] {
            fs::write(path(name), "secret").unwrap();
        }
        let old = std::time::SystemTime::now() - 2 * ABANDONED;
        fs::File::options().write(true).open(path("identity.key.old")).unwrap().set_modified(old).unwrap();
        Identity::load_or_create(directory.path()).unwrap();
        assert!(!path("identity.key.old").exists());
        assert!(path("identity.key.new").exists());
    }

    #[test]
    fn of_many_that_start_at_once_all_have_the_same_identity() {
        let directory = tempfile::tempdir().unwrap();
        let ids = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..8)
                .map(|_| scope.spawn(|| Identity::load_or_create(directory.path()).unwrap().id()))
                .collect();
            threads
                .into_iter()
                .map(|thread| thread.join().unwrap())
                .collect::<std::collections::BTreeSet<_>>()
        });
        assert_eq!(ids.len(), 1);
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 2);
    }
}
