use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
};

use polywire_core::transport::Ports;

/// The file with the ports that the system chose at the last start, so that peers find the node at the same address.
/// Without the file the node takes other ports.
pub(super) struct KeptPorts(PathBuf);

const FILE: &str = "ports.toml";

impl KeptPorts {
    pub(super) fn of(data_dir: &Path) -> Self {
        Self(data_dir.join(FILE))
    }

    /// Reads the file. If it is unreadable, logs that and returns no ports.
    pub(super) fn load(&self) -> Ports {
        let read = match fs::read_to_string(&self.0) {
            Ok(text) => toml::from_str(&text).map_err(io::Error::other),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(BTreeMap::new()),
            Err(error) => Err(error),
        };
        Ports::new(read.unwrap_or_else(|error| {
            let file = self.0.display();
            tracing::warn!(%file, %error, "the ports of the last start cannot be read; the node takes other ports");
            BTreeMap::new()
        }))
    }

    /// Writes the ports if they have changed. A failure is logged only, as the node can serve without the file.
    pub(super) fn store(&self, ports: &Ports) {
        let now = ports.all();
        if now == self.load().all() {
            return;
        }
        // Written under another name first: a crash leaves either the old file or the new one.
        let unfinished = self.0.with_extension("toml.new");
        let text: String = now.iter().map(|(name, port)| format!("{name} = {port}\n")).collect();
        let written = fs::write(&unfinished, text).and_then(|()| fs::rename(&unfinished, &self.0));
        if let Err(error) = written {
            let file = self.0.display();
            tracing::warn!(%file, %error, "the node's ports cannot be stored for its next start");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_stored_is_loaded_and_what_is_damaged_is_forgotten() {
        let directory = tempfile::tempdir().unwrap();
        let kept = KeptPorts::of(directory.path());
        assert!(kept.load().all().is_empty());
        let ports = BTreeMap::from([("grpc".to_owned(), 7001), ("iroh".to_owned(), 65_535)]);
        kept.store(&Ports::new(ports.clone()));
        assert_eq!(kept.load().all(), ports);
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
        fs::write(directory.path().join(FILE), "grpc = 70000\n").unwrap();
        assert!(kept.load().all().is_empty());
    }
}
