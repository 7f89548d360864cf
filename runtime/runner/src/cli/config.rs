//! `config check` and `config print`.

use super::{
    args::{CheckArgs, ConfigArgs},
    failure::Failure,
    flags::Flags,
    print::{answer, note},
    settings,
};
use crate::config::Loader;

/// Looks at the file alone: what it says must not depend on where it is checked.
pub(super) fn check(args: CheckArgs) -> Result<(), Failure> {
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
