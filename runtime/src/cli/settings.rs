//! The configuration, from its file, the environment and flags.

use super::{args::ConfigArgs, failure::Failure, flags::Flags};
use crate::config::{ConfigError, Loaded, Loader};

pub(super) fn load(args: &ConfigArgs, flags: Flags) -> Result<Loaded, Failure> {
    load_over(Loader::new(), args, flags).map_err(Failure::other)
}

/// The same, above what the loader has already.
pub(super) fn load_over(loader: Loader, args: &ConfigArgs, flags: Flags) -> Result<Loaded, ConfigError> {
    let mut loader = loader.process_env();
    if let Some(file) = &args.config {
        loader = loader.file(file);
    }
    for (key, value) in flags {
        loader = loader.flag(key, value);
    }
    loader.load()
}
