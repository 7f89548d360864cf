//! `config check` and `config print`.

use std::future::Future;

use super::{
    args::{CheckArgs, ConfigArgs},
    failure::Failure,
    flags::Flags,
    node::Made,
    print::{answer, note},
    settings,
};
use crate::config::Loader;

/// Checks the file, and the files with the keys of issuers that it names, against the services of this node. Flags and the
/// environment have no part in it.
pub(super) async fn check(
    args: CheckArgs,
    flags: &Flags,
    node: impl Future<Output = Made>,
) -> Result<(), Failure> {
    if let Some((key, _)) = flags.first() {
        return Err(Failure::usage(format!("unexpected flag --{key}; `config check` reads the file alone")));
    }
    let loaded = Loader::new().file(args.file()).load().map_err(Failure::other)?;
    let builder = node.await.map_err(Failure::Other)?;
    let services: Vec<_> = builder.overview(&loaded.config).map_err(Failure::other)?;
    let services: Vec<_> = services.into_iter().map(|service| service.info).collect();
    let checked = loaded.config.check_access(&services);
    checked.map_err(|error| Failure::other(loaded.placed(error)))?;
    // What is wrong with a file of keys shows nowhere else before the node starts.
    loaded.config.check_jwks().map_err(|error| Failure::other(loaded.placed(error)))?;
    for warning in loaded.warnings.iter().chain(&loaded.unknown_names(&services)) {
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
