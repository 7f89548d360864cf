//! Where logs go: stderr, always, for stdout belongs to answers.

use std::io::{self, IsTerminal as _};

use tracing_subscriber::{EnvFilter, fmt, util::SubscriberInitExt as _};

use super::failure::Failure;
use crate::config::{Log, LogFormat};

/// Logs as configured. `auto` is for people on a terminal, and JSON elsewhere.
pub(super) fn init(config: &Log) -> Result<(), Failure> {
    let filter = EnvFilter::try_new(&config.filter)
        .map_err(|error| Failure::other(format!("log.filter: {:?}: {error}", config.filter)))?;
    let human = match config.format {
        LogFormat::Auto => io::stderr().is_terminal(),
        LogFormat::Human => true,
        LogFormat::Json => false,
    };
    start(filter, human);
    Ok(())
}

/// Logs of a command that calls: none, unless asked for twice (`-vv`) or by `RUST_LOG`.
pub(super) fn init_client(verbose: u8) {
    let asked = std::env::var("RUST_LOG").ok().and_then(|filter| EnvFilter::try_new(filter).ok());
    let asked = asked.or_else(|| (verbose > 1).then(|| EnvFilter::new("warn,polywire=debug")));
    if let Some(filter) = asked {
        start(filter, true);
    }
}

fn start(filter: EnvFilter, human: bool) {
    let builder = fmt().with_env_filter(filter).with_writer(io::stderr).with_ansi(io::stderr().is_terminal());
    // It fails where the program has set a subscriber of its own, which then stays.
    let _ = match human {
        true => builder.finish().try_init(),
        false => builder.json().flatten_event(true).finish().try_init(),
    };
}
