//! `id`.

use super::{args::ConfigArgs, failure::Failure, flags::Flags, print, settings};
use crate::node::Identity;

pub(super) fn id(args: &ConfigArgs, flags: Flags) -> Result<(), Failure> {
    let config = settings::load(args, flags)?.config;
    let identity = Identity::load_or_create(&config.node.data_dir).map_err(Failure::other)?;
    print::answer(&format!("{}\n", identity.id()))
}
