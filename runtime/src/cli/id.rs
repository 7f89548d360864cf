//! `id`.

use std::io::{self, Write as _};

use super::{args::ConfigArgs, failure::Failure, flags::Flags, settings};
use crate::node::Identity;

pub(super) fn id(args: &ConfigArgs, flags: Flags) -> Result<(), Failure> {
    let config = settings::load(args, flags)?.config;
    let identity = Identity::load_or_create(&config.node.data_dir).map_err(Failure::other)?;
    writeln!(io::stdout(), "{}", identity.id()).map_err(Failure::other)
}
