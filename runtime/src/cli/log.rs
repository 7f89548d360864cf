//! Where logs go: stderr, always, for stdout belongs to answers.

use std::io::{self, IsTerminal as _};

use tracing_subscriber::{
    EnvFilter, Layer, fmt, layer::SubscriberExt as _, registry::LookupSpan, util::SubscriberInitExt as _,
};

use super::{failure::Failure, traces::Traces};
use crate::{
    config::{Log, LogFormat},
    trace,
};

/// Logs as configured, and gives spans to where traces go.
pub(super) fn init(config: &Log, traces: Option<&Traces>) -> Result<(), Failure> {
    let human = match config.format {
        LogFormat::Auto => io::stderr().is_terminal(),
        LogFormat::Human => true,
        LogFormat::Json => false,
    };
    let mut filter = config.filter.clone();
    if traces.is_some() && !human {
        // The spans of calls are made anyway then, and tell a program which trace a line belongs to.
        filter = format!("{filter},{}=debug", trace::TARGET);
    }
    let filter = EnvFilter::try_new(filter)
        .map_err(|error| Failure::other(format!("log.filter: {:?}: {error}", config.filter)))?;
    let registry = tracing_subscriber::registry().with(traces.map(Traces::layer));
    // It fails where the program has set a subscriber of its own, which then stays.
    let set = registry.with(lines(filter, human)).try_init().is_ok();
    if traces.is_some() && !set {
        tracing::warn!("telemetry.otlp_endpoint has no effect: this program has a subscriber of its own");
    }
    Ok(())
}

/// Logs of a command that calls: none, unless asked for twice (`-vv`) or by `RUST_LOG`.
pub(super) fn init_client(verbose: u8) {
    let asked = std::env::var("RUST_LOG").ok().and_then(|filter| EnvFilter::try_new(filter).ok());
    let asked = asked.or_else(|| (verbose > 1).then(|| EnvFilter::new("warn,polywire=debug")));
    if let Some(filter) = asked {
        // As above.
        let _ = tracing_subscriber::registry().with(lines(filter, true)).try_init();
    }
}

/// A line for each event, coloured on a terminal.
fn lines<S>(filter: EnvFilter, human: bool) -> impl Layer<S>
where
    S: tracing::Subscriber + for<'a> LookupSpan<'a>,
{
    let lines = fmt::layer().with_writer(io::stderr).with_ansi(io::stderr().is_terminal());
    let lines = if human { lines.boxed() } else { lines.json().flatten_event(true).boxed() };
    lines.with_filter(filter)
}
