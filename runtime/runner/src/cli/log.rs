//! Logs. They always go to stderr; stdout is for results.

use std::{
    env,
    ffi::{OsStr, OsString},
    io::{self, IsTerminal as _},
};

use tracing::{Level, field::Field};
use tracing_subscriber::{
    EnvFilter, Layer,
    field::MakeExt as _,
    filter::{FilterExt as _, Targets, filter_fn},
    fmt::{
        self,
        format::{Writer, debug_fn},
    },
    layer::SubscriberExt as _,
    registry::LookupSpan,
    util::SubscriberInitExt as _,
};

use super::{failure::Failure, traces::Traces};
use crate::config::{LOG_BASE, Loaded, LogFormat, Origin};
use polywire_core::{Plain, trace};

/// The environment variable that sets the log filter of most Rust programs.
const RUST_LOG: &str = "RUST_LOG";

/// Sets up logs and traces as configured.
pub(super) fn init(loaded: &Loaded, traces: Option<&Traces>) -> Result<(), Failure> {
    let config = &loaded.config.log;
    let chosen = choose(loaded.origin("log.filter"), &config.filter, env::var_os(RUST_LOG));
    let human = is_human(config.format);
    let mut filter = format!("{LOG_BASE},{}", chosen.filter);
    let wants_calls = wants_calls(&filter);
    if traces.is_some() && !human {
        // Tracing creates the spans of calls anyway, and they tell a program the trace of each line.
        filter = format!("{filter},{}=debug", trace::TARGET);
    }
    let filter = EnvFilter::try_new(&filter)
        .map_err(|error| Failure::other(format!("log.filter: {:?}: {error}", chosen.filter)))?;
    let calls =
        filter_fn(move |metadata| wants_calls || metadata.is_span() || metadata.target() != trace::TARGET);
    let registry = tracing_subscriber::registry().with(traces.map(Traces::layer));
    // This fails if the program has already set a subscriber, which then stays.
    let set = registry.with(lines(human).with_filter(filter.and(calls))).try_init().is_ok();
    if traces.is_some() && !set {
        tracing::warn!(
            "telemetry.otlp_endpoint has no effect: the program has set its own tracing subscriber"
        );
    }
    if let Some(note) = chosen.note {
        tracing::info!("{note}");
    }
    Ok(())
}

/// Sets up the logs of a client command: none, unless `-vv` or `RUST_LOG` asks for them.
pub(super) fn init_client(verbose: u8) {
    let asked = env::var(RUST_LOG).ok().and_then(|filter| EnvFilter::try_new(filter).ok());
    let asked = asked.or_else(|| (verbose > 1).then(|| EnvFilter::new("warn,polywire=debug")));
    if let Some(filter) = asked {
        // As above.
        let _ = tracing_subscriber::registry().with(lines(true).with_filter(filter)).try_init();
    }
}

/// Logs the failure if programs read the log, and returns its exit status; otherwise returns the failure, which the
/// terminal shows last.
pub(super) fn report(failure: Failure, format: LogFormat) -> Failure {
    if is_human(format) {
        return failure;
    }
    let say = || {
        for line in failure.lines() {
            tracing::error!("{line}");
        }
    };
    match tracing::dispatcher::has_been_set() {
        true => say(),
        // The failure came before the log was set up.
        false => tracing::subscriber::with_default(tracing_subscriber::registry().with(lines(false)), say),
    }
    Failure::Exit(failure.exit_status())
}

/// Whether the log is for people.
pub(super) fn is_human(format: LogFormat) -> bool {
    match format {
        LogFormat::Auto => io::stderr().is_terminal(),
        LogFormat::Human => true,
        LogFormat::Json => false,
    }
}

/// The chosen filter, and a note on its source.
#[derive(Debug, PartialEq, Eq)]
struct Chosen {
    filter: String,
    note: Option<String>,
}

/// The configuration's filter, or that of the environment if the configuration sets none.
fn choose(origin: Origin, configured: &str, rust_log: Option<OsString>) -> Chosen {
    let configured = |note| Chosen { filter: configured.to_owned(), note };
    let Some(rust_log) = rust_log.filter(|value| !value.is_empty()) else { return configured(None) };
    if origin != Origin::Default {
        return configured(Some(format!("{RUST_LOG} has no effect: {origin} sets log.filter")));
    }
    let Some(filter) = rust_log.to_str().filter(|filter| EnvFilter::builder().parse(filter).is_ok()) else {
        let note = format!(
            "{RUST_LOG} has no effect: invalid filter {rust_log:?}; expected one such as \"info,polywire=debug\""
        );
        return configured(Some(note));
    };
    let note = format!("log.filter is not set; {RUST_LOG}={filter} sets the log filter");
    Chosen { filter: filter.to_owned(), note: Some(note) }
}

/// Whether the filter selects the line at the end of each call.
fn wants_calls(filter: &str) -> bool {
    // `Targets` does not parse directives about spans; their author gets all lines that match.
    filter.parse::<Targets>().map_or(true, |targets| targets.would_enable(trace::TARGET, &Level::DEBUG))
}

/// A line for each event, coloured on a terminal.
fn lines<S>(human: bool) -> Box<dyn Layer<S> + Send + Sync>
where
    S: tracing::Subscriber + for<'a> LookupSpan<'a>,
{
    let colours = colours(io::stderr().is_terminal(), env::var_os("NO_COLOR").as_deref());
    let lines = fmt::layer().with_writer(io::stderr).with_ansi(colours);
    match human {
        true => lines.fmt_fields(debug_fn(field).delimited(" ")).boxed(),
        false => lines.json().flatten_event(true).boxed(),
    }
}

/// Writes a field of a line. What a peer has said may neither control the terminal nor look like a line of its own.
fn field(writer: &mut Writer<'_>, field: &Field, value: &dyn std::fmt::Debug) -> std::fmt::Result {
    let value = format!("{value:?}");
    match (field.name(), writer.has_ansi_escapes()) {
        ("message", _) => {}
        // Italic, and dim (ECMA-48, section 8.3.117).
        (name, true) => write!(writer, "\x1b[3m{name}\x1b[0m\x1b[2m=\x1b[0m")?,
        (name, false) => write!(writer, "{name}=")?,
    }
    write!(writer, "{}", Plain(&value))
}

/// Whether lines are coloured: on a terminal, unless [NO_COLOR](https://no-color.org) is there and not empty.
fn colours(terminal: bool, no_color: Option<&OsStr>) -> bool {
    terminal && no_color.is_none_or(OsStr::is_empty)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_are_for_terminals_whose_user_has_nothing_against_them() {
        assert!(colours(true, None));
        assert!(colours(true, Some(OsStr::new(""))));
        assert!(!colours(true, Some(OsStr::new("1"))));
        assert!(!colours(false, None));
    }

    #[test]
    fn a_line_of_the_log_is_one_line_and_controls_no_terminal() {
        let format = |value: &dyn std::fmt::Debug, name: &str| {
            let subscriber = tracing_subscriber::registry();
            let _set = tracing::subscriber::set_default(subscriber);
            let callsite = tracing::info_span!("a", message = 1, status = 1);
            let metadata = callsite.metadata().unwrap();
            let mut text = String::new();
            field(&mut Writer::new(&mut text), &metadata.fields().field(name).unwrap(), value).unwrap();
            text
        };
        let said = format_args!("gone\n\u{1b}[2J2026-01-01 INFO a line").to_string();
        let shown = r"gone\u000a\u001b[2J2026-01-01 INFO a line";
        assert_eq!(format(&format_args!("{said}"), "status"), format!("status={shown}"));
        assert_eq!(format(&format_args!("{said}"), "message"), shown);
    }

    #[test]
    fn the_environments_filter_is_taken_where_the_configuration_has_none_and_either_is_said() {
        let flag = || Origin::Flag("log.filter".to_owned());
        let chosen =
            |origin, rust_log: Option<&str>| choose(origin, "configured", rust_log.map(OsString::from));
        assert_eq!(chosen(Origin::Default, None).note, None);
        assert_eq!(chosen(flag(), Some("")).note, None);
        let taken = chosen(Origin::Default, Some("polywire=debug"));
        assert_eq!(taken.filter, "polywire=debug");
        assert!(taken.note.is_some_and(|note| note.contains("RUST_LOG=polywire=debug")));
        let kept = chosen(flag(), Some("debug"));
        assert_eq!(kept.filter, "configured");
        assert!(kept.note.is_some_and(|note| note.contains("--log.filter sets log.filter")));
        let wrong = chosen(Origin::Default, Some("polywire=loud"));
        assert_eq!(wrong.filter, "configured");
        assert!(wrong.note.is_some_and(|note| note.contains("invalid filter")));
    }

    #[test]
    fn the_end_of_each_call_is_logged_where_a_filter_asks_for_it() {
        let wants = |filter: &str| wants_calls(&format!("{LOG_BASE},{filter}"));
        assert!(wants("debug") && wants("polywire=debug") && wants("polywire::rpc=debug"));
        assert!(!wants("info") && !wants("debug,polywire=info") && !wants("warn"));
    }
}
