use std::{
    fs, io,
    path::{Path, PathBuf},
};

use super::Targets;

/// The file with the targets of the node that uses a data directory, for commands that call it. It stays behind when the node
/// ends: nothing listens there then.
pub(crate) struct Listening(PathBuf);

const FILE: &str = "targets.json";

impl Listening {
    pub(crate) fn of(data_dir: &Path) -> Self {
        Self(data_dir.join(FILE))
    }

    /// Writes the targets of this node. A failure is logged only, as the node can serve without the file.
    pub(super) fn store(&self, targets: &Targets) {
        // Under another name first: a crash leaves either the old file or the new one.
        let unfinished = self.0.with_extension("json.new");
        let text = serde_json::to_vec(targets).map_err(io::Error::other);
        let written = text
            .and_then(|text| fs::write(&unfinished, text))
            .and_then(|()| fs::rename(&unfinished, &self.0));
        if let Err(error) = written {
            let file = self.0.display();
            tracing::warn!(%file, %error, "the node's targets cannot be stored for commands that call it");
        }
    }

    /// The targets by the name of the transport; none without a file, or if it is damaged.
    pub(crate) fn load(&self) -> Vec<(String, String)> {
        let text = fs::read(&self.0).unwrap_or_default();
        let read: serde_json::Map<String, serde_json::Value> =
            serde_json::from_slice(&text).unwrap_or_default();
        let targets = read.into_iter().filter(|(name, _)| !matches!(&**name, "node_id" | "http"));
        targets.filter_map(|(name, target)| Some((name, target.as_str()?.to_owned()))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_targets_are_there_for_commands_without_what_is_no_target() {
        let directory = tempfile::tempdir().unwrap();
        let listening = Listening::of(directory.path());
        assert!(listening.load().is_empty());
        listening.store(&Targets {
            node_id: "0a".to_owned(),
            transports: vec![("grpc", "grpc://127.0.0.1:1".to_owned())],
            http: Some("http://127.0.0.1:2".to_owned()),
        });
        assert_eq!(listening.load(), [("grpc".to_owned(), "grpc://127.0.0.1:1".to_owned())]);
        fs::write(directory.path().join(FILE), "{").unwrap();
        assert!(listening.load().is_empty());
    }
}
