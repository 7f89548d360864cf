use std::time::Duration;

use clap::{Parser, Subcommand, ValueEnum};
use polywire::{
    Target,
    cli::{Arguments, CallerArgs, Command, CommandError, print},
};
use polywire_proto::monitoring::v1::CallSide;

use super::{
    report::Report,
    survey::{Asking, Survey},
    verdict::Rules,
};

/// The command `migration`, which says whether it is safe to move more calls from one transport to another.
#[derive(Clone, Copy, Debug)]
pub struct MigrationCommand;

#[derive(Debug, Parser)]
#[command(about = ABOUT)]
struct Args {
    #[command(subcommand)]
    what: What,
}

const ABOUT: &str = "Says whether it is safe to move more calls from one transport to another";

#[derive(Debug, Subcommand)]
enum What {
    /// Compares the last minute of calls over both transports, for each service
    #[command(after_help = VERDICT)]
    Status(StatusArgs),
}

#[derive(Debug, clap::Args)]
struct StatusArgs {
    /// The running nodes, whose calls are added up
    #[arg(value_name = "TARGET", required_unless_present = "node")]
    targets: Vec<Target>,
    /// The same, or one more
    #[arg(long, value_name = "TARGET")]
    node: Vec<Target>,
    /// Judges this service, by its short or full name; repeatable; by default every service with calls that not every node
    /// has
    #[arg(long, value_name = "SERVICE")]
    service: Vec<String>,
    /// The transport that calls are moved away from
    #[arg(long, value_name = "TRANSPORT", default_value = "grpc")]
    from: String,
    /// The transport that calls are moved to
    #[arg(long, value_name = "TRANSPORT", default_value = "iroh")]
    to: String,
    /// Which calls of the nodes: calls that they answer, or calls that they make, which include calls that reached no server
    #[arg(long, value_enum, default_value_t = Side::Server)]
    side: Side,
    /// Counts the calls that ended in this time, from 1s to 5m
    #[arg(long, value_name = "DURATION", default_value = "60s", value_parser = duration)]
    window: Duration,
    /// How many calls there must have been over the transport that they are moved to
    #[arg(long, value_name = "CALLS", default_value_t = 100)]
    min_calls: u64,
    /// By how much more of its calls may fail than of the other's: 0.01 is one in a hundred
    #[arg(long, value_name = "RATE", default_value_t = 0.01, value_parser = number)]
    max_error_rate: f64,
    /// How many times as long its p99 may be as the other's
    #[arg(long, value_name = "RATIO", default_value_t = 2.0, value_parser = number)]
    max_p99_ratio: f64,
    /// Gives a node up after this long
    #[arg(long, value_name = "DURATION", default_value = "5s", value_parser = duration)]
    timeout: Duration,
    /// Prints JSON instead of a table
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    caller: CallerArgs,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Side {
    Server,
    Client,
}

const VERDICT: &str = "It is not safe where a node did not report its calls; where fewer than --min-calls went over \
the new transport; where more of them fail than over the old one, by more than --max-error-rate and by more than \
chance explains (5 %, Newcombe's interval); or where their p99 is more than --max-p99-ratio times as long, chance \
aside, a p99 below 1 ms counting as 1 ms and fewer than --min-calls unary calls over either not being compared. What \
fails is UNKNOWN, DEADLINE_EXCEEDED, RESOURCE_EXHAUSTED, UNIMPLEMENTED, INTERNAL, UNAVAILABLE and DATA_LOSS; other \
codes are answers. A stream counts when it ends; how long it was open is no latency.

Exit status: 0 where it is safe for every service, 3 where it is not, 64 + the gRPC code where no node answers, 2 for \
bad usage, 1 for anything else.";

/// The exit status where it is not safe.
const NOT_SAFE: u8 = 3;

impl Command for MigrationCommand {
    fn name(&self) -> &'static str {
        "migration"
    }

    fn about(&self) -> &'static str {
        ABOUT
    }

    async fn run(&self, arguments: Arguments) -> Result<(), CommandError> {
        let Args { what: What::Status(args) } = arguments.parse()?;
        status(args).await
    }
}

async fn status(args: StatusArgs) -> Result<(), CommandError> {
    let asking = Asking {
        options: args.caller.connect_options()?,
        caller: &args.caller,
        window: args.window,
        patience: args.timeout,
    };
    let side = match args.side {
        Side::Server => CallSide::Server,
        Side::Client => CallSide::Client,
    };
    let targets: Vec<_> = args.targets.into_iter().chain(args.node).collect();
    let mut survey = Survey::of(&targets, &asking, side).await;
    if survey.silent.len() == targets.len() {
        // Nothing is known.
        return Err(survey.silent.swap_remove(0).1.into());
    }
    let rules = Rules {
        from: args.from,
        to: args.to,
        min_calls: args.min_calls,
        max_error_rate: args.max_error_rate,
        max_p99_ratio: args.max_p99_ratio,
    };
    let report = Report::of(&survey, &rules, &args.service);
    let text = match args.json {
        true => serde_json::to_string(&report).map_err(|error| CommandError::Other(error.into()))? + "\n",
        false => report.to_string(),
    };
    print(&text)?;
    if report.safe { Ok(()) } else { Err(CommandError::Exit(NOT_SAFE)) }
}

fn duration(text: &str) -> Result<Duration, String> {
    humantime::parse_duration(text).map_err(|error| format!("{error}; expected for instance 500ms, 5s or 1m"))
}

fn number(text: &str) -> Result<f64, String> {
    let number = text.parse().ok().filter(|number: &f64| number.is_finite() && *number >= 0.0);
    number.ok_or_else(|| "expected a number of at least 0".to_owned())
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_arguments_hold_together() {
        Args::command().debug_assert();
    }

    #[test]
    fn bad_usage_is_told() {
        for rest in [&["status"][..], &[], &["status", "--max-error-rate=-1", "grpc://127.0.0.1:1"]] {
            let named = std::iter::once("node migration").chain(rest.iter().copied());
            assert!(Args::try_parse_from(named).is_err_and(|error| error.use_stderr()), "{rest:?}");
        }
    }
}
