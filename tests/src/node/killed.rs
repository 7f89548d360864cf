use tempfile::TempDir;

use super::{Node, recipe::Recipe};

/// A node that was killed, and what it left on disk. Dropped, that is gone.
#[derive(Debug)]
pub struct Killed {
    pub(super) recipe: Recipe,
    pub(super) data: TempDir,
}

impl Killed {
    /// Its data directory, unless a flag named another.
    pub fn data_dir(&self) -> std::path::PathBuf {
        self.data.path().join("data")
    }

    /// Starts it again, with the same flags and data, and on the ports that it had.
    ///
    /// # Panics
    /// When it does not come up.
    pub async fn start(self) -> Node {
        let command = self.recipe.command();
        Node::started(self.recipe, command, self.data).await
    }
}
