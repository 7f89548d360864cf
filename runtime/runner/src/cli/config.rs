//! `config check` and `config print`.

use super::{
    args::{CheckArgs, ConfigArgs},
    failure::Failure,
    flags::Flags,
    print::{answer, note},
    settings,
};
use crate::config::Loader;

/// Checks the file alone, so that the result does not depend on the machine.
pub(super) fn check(args: CheckArgs, flags: &Flags) -> Result<(), Failure> {
    if let Some((key, _)) = flags.first() {
        return Err(Failure::usage(format!("unexpected flag --{key}; `config check` reads the file alone")));
    }
    let loaded = Loader::new().file(args.file()).load().map_err(Failure::other)?;
    for warning in loaded.warnings {
        note(format_args!("warning: {warning}"));
    }
    answer("ok\n")
}

pub(super) fn print(args: &ConfigArgs, flags: Flags) -> Result<(), Failure> {
    let loaded = settings::load(args, flags)?;
    for warning in &loaded.warnings {
        note(format_args!("warning: {warning}"));
    }
    let text = loaded.config.to_toml().map_err(Failure::other)?;
    answer(&text)
}
