//! Loads and merges the layers.

use super::{
    Config, check,
    error::{ConfigError, Problem},
    file,
    layer::Layer,
    origin::Origin,
    read::read,
    short_names, text, warn,
};
use polywire_core::ServiceInfo;
use std::{env, ffi::OsString, path::PathBuf};

/// Loads a configuration from its layers.
///
/// The precedence of the layers does not depend on the order of the calls: defaults, files, environment, flags.
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

/// A loaded configuration and its warnings.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Loaded {
    /// The configuration.
    pub config: Config,
    /// Settings without effect, one line each with place and key. They do not prevent a start.
    pub warnings: Vec<String>,
    layers: Layer,
}

impl Loader {
    /// Creates a loader without layers above the defaults.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a TOML file, which [`load`](Self::load) opens. Later files take precedence.
    pub fn file(mut self, path: impl Into<PathBuf>) -> Self {
        self.files.push(Source::Disk(path.into()));
        self
    }

    /// Adds the text of a TOML file; the name is for error texts.
    pub fn text(mut self, name: impl Into<PathBuf>, text: impl Into<String>) -> Self {
        self.files.push(Source::Text(name.into(), text.into()));
        self
    }

    /// Adds environment variables. Names start with `POLYWIRE__`, in upper or lower case; behind it `__` separates the
    /// parts of the key. Other variables are ignored.
    ///
    /// A value that is not Unicode is valid for a path, and an error for other keys.
    pub fn env(mut self, variables: impl IntoIterator<Item = (String, impl Into<OsString>)>) -> Self {
        self.variables.extend(variables.into_iter().map(|(name, value)| (name, value.into())));
        self
    }

    /// Adds the environment of this process.
    pub fn process_env(self) -> Self {
        // A name that is not Unicode becomes an unknown key, which is reported.
        let named = env::vars_os().map(|(name, value)| (name.to_string_lossy().into_owned(), value));
        self.env(named.filter(|(name, _)| text::is_ours(name)))
    }

    /// Adds a flag: a dotted key without leading dashes, and its value. Later flags take precedence. Values that are not
    /// Unicode are treated as in [`env`](Self::env).
    pub fn flag(mut self, key: impl Into<String>, value: impl Into<OsString>) -> Self {
        self.flags.push((key.into(), value.into()));
        self
    }

    /// The unchecked value of one key; `None` if no layer sets it, or it has another type.
    pub(crate) fn peek<T: serde::de::DeserializeOwned>(&self, key: &str) -> Option<T> {
        self.layers(&mut Vec::new()).get(key)?.clone().try_into().ok()
    }

    /// Loads a gateway's configuration, so that warnings cover settings without effect there. `transports` has the
    /// transport of each of its targets.
    pub(crate) fn gateway(mut self, transports: Vec<&'static str>) -> Self {
        self.gateway = Some(transports);
        self
    }

    /// Loads and checks the configuration.
    ///
    /// # Errors
    /// All problems of all layers and between keys.
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
            // Defaults without effect deserve no warning.
            .filter(|warning| warning.origin != Some(Origin::Default))
            .map(|warning| warning.to_string())
            .collect();
        Ok(Loaded { config, warnings, layers })
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
    /// The origin of the value of a dotted key.
    pub fn origin(&self, key: &str) -> Origin {
        self.layers.origins.get(key).cloned().unwrap_or(Origin::Default)
    }

    /// The names in `transport.strategy` that nothing of a node with these services has, one line each, as the warnings.
    pub(crate) fn unknown_names(&self, services: &[ServiceInfo]) -> Vec<String> {
        let found = short_names::unknown(&self.config.transport.strategy, services);
        found.into_iter().map(|finding| finding.placed(&self.layers).to_string()).collect()
    }

    /// The problems of the configuration that were found without its layers, with their places in these.
    pub fn placed(&self, error: ConfigError) -> ConfigError {
        error.placed(|key| self.layers.origin(key))
    }
}
