//! Puts the layers together.

use super::{
    Config, check,
    error::{ConfigError, Problem},
    file,
    layer::Layer,
    origin::Origin,
    read::read,
    text, warn,
};
use std::{collections::BTreeMap, env, ffi::OsString, path::PathBuf};

/// Reads a configuration from its layers.
///
/// The layers have a fixed order, whatever the order of the calls: defaults, files, environment,
/// flags.
#[derive(Clone, Debug, Default)]
#[must_use]
pub struct Loader {
    files: Vec<Source>,
    variables: Vec<(String, OsString)>,
    flags: Vec<(String, OsString)>,
    gateway: Option<Vec<&'static str>>,
}

#[derive(Clone, Debug)]
enum Source {
    Disk(PathBuf),
    Text(PathBuf, String),
}

/// A configuration that was read, and what there is to say about it.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Loaded {
    /// The configuration.
    pub config: Config,
    /// What has no effect, one line each with its place and key. Nothing to stop for.
    pub warnings: Vec<String>,
    origins: BTreeMap<String, Origin>,
}

impl Loader {
    /// No layer but the defaults.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a TOML file, which is opened by [`load`](Self::load). A later file is above an earlier
    /// one.
    pub fn file(mut self, path: impl Into<PathBuf>) -> Self {
        self.files.push(Source::Disk(path.into()));
        self
    }

    /// Adds a TOML file whose text is at hand; the name is for messages.
    pub fn text(mut self, name: impl Into<PathBuf>, text: impl Into<String>) -> Self {
        self.files.push(Source::Text(name.into(), text.into()));
        self
    }

    /// Adds environment variables. Those whose names do not begin with `POLYWIRE__`, in any case,
    /// are ignored; behind it `__` separates the parts of the key.
    ///
    /// A value that is not Unicode is taken as it is where the key is a path, and reported elsewhere.
    pub fn env(mut self, variables: impl IntoIterator<Item = (String, impl Into<OsString>)>) -> Self {
        self.variables.extend(variables.into_iter().map(|(name, value)| (name, value.into())));
        self
    }

    /// Adds the environment of this process.
    pub fn process_env(self) -> Self {
        // A name that is not Unicode is none of a key, and is reported as such.
        let named = env::vars_os().map(|(name, value)| (name.to_string_lossy().into_owned(), value));
        self.env(named.filter(|(name, _)| text::is_ours(name)))
    }

    /// Adds a flag: a dotted key without leading dashes, and its value. A later flag is above an
    /// earlier one. A value that is not Unicode is as in [`env`](Self::env).
    pub fn flag(mut self, key: impl Into<String>, value: impl Into<OsString>) -> Self {
        self.flags.push((key.into(), value.into()));
        self
    }

    /// What the layers say of one key, before anything is checked; `None` where none says anything, or it cannot be
    /// read.
    pub(crate) fn peek<T: serde::de::DeserializeOwned>(&self, key: &str) -> Option<T> {
        self.layers(&mut Vec::new()).get(key)?.clone().try_into().ok()
    }

    /// The configuration is a gateway's, which passes calls on over these transports, one for each target: warnings say
    /// what has no effect there.
    pub(crate) fn gateway(mut self, transports: Vec<&'static str>) -> Self {
        self.gateway = Some(transports);
        self
    }

    /// Reads the layers.
    ///
    /// # Errors
    /// Everything that is wrong in any of the layers, or between keys, in one report.
    pub fn load(self) -> Result<Loaded, ConfigError> {
        let mut problems = Vec::new();
        let mut layers = self.layers(&mut problems);
        let config = read(&mut layers, &mut problems);
        let unsound: Vec<Problem> = check::errors(&config)
            .into_iter()
            .filter(|finding| !finding.is_consequence_of(&problems))
            .map(|finding| finding.placed(&layers))
            .collect();
        problems.extend(unsound);
        if !problems.is_empty() {
            return Err(ConfigError::new(problems));
        }
        let warnings = warn::warnings(&config, self.gateway.as_deref())
            .into_iter()
            .map(|finding| finding.placed(&layers))
            // A default that does not suit the rest was nobody's wish.
            .filter(|warning| warning.origin != Some(Origin::Default))
            .map(|warning| warning.to_string())
            .collect();
        Ok(Loaded { config, warnings, origins: layers.origins })
    }

    fn layers(&self, problems: &mut Vec<Problem>) -> Layer {
        let mut layers = Layer::default();
        for source in &self.files {
            layers.cover(match source {
                Source::Disk(path) => file::open(path, problems),
                Source::Text(name, text) => file::parse(name, text, problems),
            });
        }
        layers.cover(text::environment(&self.variables, problems));
        layers.cover(text::flags(&self.flags, problems));
        layers
    }
}

impl Loaded {
    /// Where the value of a dotted key came from.
    pub fn origin(&self, key: &str) -> Origin {
        self.origins.get(key).cloned().unwrap_or(Origin::Default)
    }
}
