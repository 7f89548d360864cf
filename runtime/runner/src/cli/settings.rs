//! The configuration, from its file, the environment and flags.

use super::{args::ConfigArgs, failure::Failure, flags::Flags};
use crate::config::{Loaded, Loader};

pub(super) fn load(args: &ConfigArgs, flags: Flags) -> Result<Loaded, Failure> {
    loader(Loader::new(), args, flags).load().map_err(Failure::other)
}

/// Adds the environment, the file and the flags to the loader's layers.
pub(super) fn loader(loader: Loader, args: &ConfigArgs, flags: Flags) -> Loader {
    let mut loader = loader.process_env();
    if let Some(file) = &args.config {
        loader = loader.file(file);
    }
    for (key, value) in flags {
        loader = loader.flag(key, value);
    }
    loader
}
