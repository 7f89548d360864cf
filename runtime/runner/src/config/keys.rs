//! The keys as a command line lists them.

use super::{Config, layer::is_inside, outlines::outlines};

/// A key, described for a person.
#[derive(Debug)]
pub(crate) struct KeyHelp {
    /// The dotted name.
    pub(crate) name: String,
    /// The dotted name of its section.
    pub(crate) section: String,
    /// The first paragraph of its documentation, on one line.
    pub(crate) doc: String,
    /// The default in TOML; `None` where the key is unset by default.
    pub(crate) default: Option<String>,
    /// Whether the value is a path.
    pub(crate) is_path: bool,
}

impl KeyHelp {
    /// Whether the name is that of an element or of a field of this key: `cluster.peers.0` of `cluster.peers`.
    pub(crate) fn contains(&self, name: &str) -> bool {
        is_inside(name, &self.name)
    }
}

/// All keys, those of registered transports included.
pub(crate) fn keys() -> Vec<KeyHelp> {
    let defaults = Config::default().values().ok();
    let default = |name: &str| {
        let value = name.split('.').try_fold(defaults.as_ref()?, |value, part| value.get(part))?;
        Some(value.to_string())
    };
    let sections = outlines();
    let keys =
        sections.iter().flat_map(|section| section.full_keys().map(move |(name, key)| (section, name, key)));
    keys.map(|(section, name, key)| KeyHelp {
        section: section.path.clone(),
        doc: key
            .doc
            .iter()
            .take_while(|line| !line.is_empty())
            .map(|line| line.trim())
            .collect::<Vec<_>>()
            .join(" "),
        default: default(&name),
        is_path: key.is_path,
        name,
    })
    .collect()
}
