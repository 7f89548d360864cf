use std::{
    fmt,
    path::PathBuf,
    sync::{Arc, OnceLock},
};

/// What the operating system has refused, if it has, of the files of a store. It keeps none of them open. Clones share it.
#[derive(Clone, Debug, Default)]
pub(crate) struct DiskFailure(Vec<(PathBuf, Arc<OnceLock<String>>)>);

impl DiskFailure {
    pub(super) fn of(files: impl IntoIterator<Item = (PathBuf, Arc<OnceLock<String>>)>) -> Self {
        Self(files.into_iter().collect())
    }

    /// The file, and what the system said of it first; `None` while all is well.
    pub(crate) fn get(&self) -> Option<String> {
        self.0.iter().find_map(|(path, cause)| Some(format!("{}: {}", path.display(), cause.get()?)))
    }

    /// The error, and what is behind it: Raft's own word may be that a channel is closed.
    pub(crate) fn explain(&self, error: &impl fmt::Display) -> String {
        let error = error.to_string();
        match self.get() {
            Some(cause) if !error.contains(&cause) => format!("{error} ({cause})"),
            _ => error,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_that_does_not_say_what_is_behind_it_is_explained() {
        let refused = Arc::new(OnceLock::new());
        let failure = DiskFailure::of([(PathBuf::from("a.redb"), refused.clone())]);
        assert_eq!(failure.explain(&"channel closed"), "channel closed");
        refused.set("No space left".to_owned()).unwrap();
        assert_eq!(failure.explain(&"channel closed"), "channel closed (a.redb: No space left)");
        assert_eq!(failure.explain(&"a.redb: No space left; again"), "a.redb: No space left; again");
    }
}
