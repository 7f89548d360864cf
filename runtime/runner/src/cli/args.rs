//! The arguments of the built-in commands; [`flags`](super::flags) adds the configuration keys.

use std::{ffi::OsString, path::PathBuf, time::Duration};

use clap::{CommandFactory as _, FromArgMatches as _, Parser, Subcommand};

use super::{
    access::{AccessCommand, INVITE, InviteArgs, TokenCommand},
    build::Build,
    call::{CallMethod, CallTarget, Header},
    caller_args::CallerArgs,
    failure::Failure,
    flags::{self, Flags},
    listen::Listen,
};
use polywire_core::{Codec, Target, access::IdentityPattern};

#[derive(Debug, Parser)]
#[command(about = "A node that serves its services over gRPC, Iroh and other transports")]
pub(super) struct Args {
    #[command(subcommand)]
    pub(super) command: Command,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Runs the node until SIGINT or SIGTERM, then drains calls in flight
    #[command(after_help = format!("{KEYS}\n\n{STATUS}"))]
    Serve(ServeArgs),
    /// Serves transports by forwarding every call unchanged to another node or server
    #[command(after_help = format!("{GATEWAY}\n\n{STATUS}"))]
    Gateway(GatewayArgs),
    /// Makes one call of any shape
    #[command(after_help = CALL)]
    Call(CallArgs),
    /// Lists the services of the target or, without one, of this node
    #[command(after_help = KEYS)]
    Services(ServicesArgs),
    /// Checks and prints configurations
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Prints the node's id; creates the identity on first use
    #[command(after_help = KEYS)]
    Id(ConfigArgs),
    /// Prints a token that lets its holder call some methods of this node for a while
    #[command(after_help = INVITE)]
    Invite(InviteArgs),
    /// Shows and narrows tokens, without a node
    #[command(subcommand)]
    Token(TokenCommand),
    /// Lists the tokens and the rules of a node, and revokes tokens
    #[command(subcommand)]
    Access(AccessCommand),
}

#[derive(Debug, Subcommand)]
pub(super) enum ConfigCommand {
    /// Reports every problem of a configuration file
    Check(CheckArgs),
    /// Prints the effective configuration with every default
    #[command(after_help = KEYS)]
    Print(PrintArgs),
}

#[derive(Debug, clap::Args)]
pub(super) struct ServeArgs {
    #[command(flatten)]
    pub(super) config: ConfigArgs,
    #[command(flatten)]
    pub(super) log: LogArgs,
    /// Lets every caller call every method; the same as --access.insecure=true
    #[arg(long)]
    pub(super) insecure: bool,
    /// Prints one line of JSON on stdout once everything listens: the node's id and targets
    #[arg(long)]
    pub(super) json: bool,
}

#[derive(Debug, clap::Args)]
pub(super) struct GatewayArgs {
    /// Serves this transport, for instance grpc://127.0.0.1:7001, grpc or iroh; repeatable
    #[arg(long, value_name = "TRANSPORT[://ADDRESS]", required = true)]
    pub(super) listen: Vec<Listen>,
    /// The target to call, such as grpc://host:port, iroh://… or unix:///path; several targets lead to the same peer, and
    /// `transport.strategy` chooses among them
    #[arg(value_name = "TARGET", required = true)]
    pub(super) targets: Vec<Target>,
    /// Trusts these certificate authorities (PEM) of a grpcs:// target instead of the system's
    #[arg(long, value_name = "FILE")]
    pub(super) ca: Option<PathBuf>,
    /// Lets this caller use the gateway, such as key:NODE_ID, or uid:1000, as in [[access.allow]]; repeatable
    #[arg(long, value_name = "IDENTITY")]
    pub(super) allow: Vec<IdentityPattern>,
    /// Lets every caller use the gateway; the same as --access.insecure=true
    #[arg(long)]
    pub(super) insecure: bool,
    /// Forwards calls in this codec alone, protobuf or msgpack; repeatable; by default protobuf to gRPC targets and both
    /// to others
    #[arg(long)]
    pub(super) codec: Vec<Codec>,
    #[command(flatten)]
    pub(super) config: ConfigArgs,
    #[command(flatten)]
    pub(super) log: LogArgs,
    /// Prints one line of JSON on stdout once everything listens: the gateway's id and targets
    #[arg(long)]
    pub(super) json: bool,
}

/// The arguments of `services` that name another node.
pub(super) const ASKED: &str = "asked";

#[derive(Debug, clap::Args)]
pub(super) struct ServicesArgs {
    /// The running node to ask, such as grpc://host:port, iroh://… or unix:///path
    #[arg(conflicts_with = "config", group = ASKED)]
    target: Option<Target>,
    /// The same
    #[arg(long, value_name = "TARGET", conflicts_with = "config", group = ASKED)]
    node: Option<Target>,
    #[command(flatten)]
    pub(super) config: ConfigArgs,
    #[command(flatten)]
    pub(super) connect: ConnectArgs,
    /// Also lists the services of the other members of the target's cluster, as the target knows them
    #[arg(long, requires = ASKED)]
    pub(super) members: bool,
    /// Prints JSON instead of a table: an array of services; with --members an object that has `node`, `services` and
    /// `members`
    #[arg(long)]
    pub(super) json: bool,
}

impl ServicesArgs {
    /// The node to ask; `None` for this one.
    pub(super) fn target(&self) -> Option<&Target> {
        self.target.as_ref().or(self.node.as_ref())
    }
}

#[derive(Clone, Debug, clap::Args)]
pub(super) struct ConfigArgs {
    /// A TOML file; without one, the configuration is defaults, environment and flags
    #[arg(long, value_name = "FILE")]
    pub(super) config: Option<PathBuf>,
}

#[derive(Debug, clap::Args)]
pub(super) struct LogArgs {
    /// The format of log lines: text for people, the default, or JSON; the same as --log.format
    #[arg(long, value_name = "FORMAT", value_parser = ["human", "json", "auto"])]
    log_format: Option<String>,
}

impl LogArgs {
    /// Adds the equivalent configuration flag, with precedence over the given ones.
    pub(super) fn over(self, mut flags: Flags) -> Flags {
        flags.extend(self.log_format.map(|format| ("log.format".to_owned(), format.into())));
        flags
    }
}

#[derive(Debug, clap::Args)]
#[group(required = true, multiple = false)]
pub(super) struct CheckArgs {
    /// The TOML file
    file: Option<PathBuf>,
    /// The same
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

impl CheckArgs {
    /// The file; clap requires one.
    pub(super) fn file(self) -> PathBuf {
        self.file.or(self.config).unwrap_or_default()
    }
}

#[derive(Debug, clap::Args)]
pub(super) struct PrintArgs {
    /// A TOML file; without one, the configuration is defaults, environment and flags
    #[arg(conflicts_with = "config")]
    file: Option<PathBuf>,
    #[command(flatten)]
    config: ConfigArgs,
}

impl PrintArgs {
    /// The source of the configuration.
    pub(super) fn config(self) -> ConfigArgs {
        ConfigArgs { config: self.file.or(self.config.config) }
    }
}

#[derive(Debug, clap::Args)]
pub(super) struct ConnectArgs {
    /// Gives up after this total time; for instance 500ms, 5s, 1m
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    pub(super) timeout: Option<Duration>,
    #[command(flatten)]
    pub(super) caller: CallerArgs,
    /// Shows metadata on stderr; given twice, also debug logs
    #[arg(short, long, action = clap::ArgAction::Count)]
    pub(super) verbose: u8,
}

#[derive(Debug, clap::Args)]
pub(super) struct CallArgs {
    /// The target to call, such as grpc://host:port, iroh://… or unix:///path; may be left out with a token that carries it
    pub(super) target: CallTarget,
    /// The method to call
    #[arg(value_name = "PACKAGE.SERVICE/METHOD", required_unless_present = "token")]
    pub(super) method: Option<CallMethod>,
    /// The request; for a request stream, several JSON values; `-` reads stdin
    pub(super) json: Option<String>,
    /// Adds metadata; keys that end in -bin take base64 values
    #[arg(short = 'H', long = "header", value_name = "KEY: VALUE")]
    pub(super) headers: Vec<Header>,
    /// Encodes messages with protobuf or msgpack; the default depends on the transport
    #[arg(long)]
    pub(super) codec: Option<Codec>,
    /// Another target of the same peer, used if the targets before it fail and either did not process the call or the
    /// method is idempotent; repeatable
    #[arg(long, value_name = "TARGET")]
    pub(super) fallback: Vec<Target>,
    /// First asks the target's directory for the peer's other transports, and uses them if the target's transport fails or
    /// does not serve the service
    #[arg(long)]
    pub(super) discover: bool,
    /// Explains on stderr how the call chose among the targets: the state, the latency and the last failure of each
    /// transport
    #[arg(long)]
    pub(super) explain: bool,
    #[command(flatten)]
    pub(super) connect: ConnectArgs,
}

const KEYS: &str = "Every configuration key is also a flag: --transport.grpc.bind_address=127.0.0.1:0, or with a \
space for the `=`; and an environment variable: POLYWIRE__TRANSPORT__MODE=dual. Flags win over the \
environment, the environment over the file. `config print` shows every key with its value.";

/// The exit statuses of a server, for supervisors.
const STATUS: &str = "Exit status: 0 after SIGINT or SIGTERM, 101 after a panic in a library below the node, 2 for \
bad usage, 1 for any other failure.";

const GATEWAY: &str = "The gateway has no services of its own: health, reflection and all other services are the \
target's, which sees the gateway as its caller. By default the gateway keeps its key, and so its iroh:// target, in \
./polywire-gateway (`node.data_dir`) and serves /metrics, /livez and /readyz on any free port (`http.bind_address`).

Every other configuration key is also a flag: --transport.grpc.max_message_size=16777216. --listen sets the transports \
and their addresses.";

const CALL: &str = "JSON is protobuf's canonical mapping. Streams are read and written one value per line; `-` sends each \
line as soon as it is read. The schema comes from this binary, the target's reflection or the target's directory, in this \
order.

Exit status: 0, 64 + the gRPC code, 2 for bad usage, 1 for any other failure.";

/// The command that the arguments name.
pub(super) enum Asked {
    /// A command that every binary has, and the configuration keys that flags set.
    BuiltIn(Box<Args>, Flags),
    /// A command of the node's own: its index, and the arguments behind its name.
    Own(usize, Vec<OsString>),
}

/// Whether the arguments name a built-in command. If they do, the node's own commands are not needed.
pub(super) fn is_built_in(arguments: &[OsString]) -> bool {
    let named = |name: &OsString| Args::command().find_subcommand(name).is_some();
    arguments.get(1).is_some_and(named)
}

/// Reads the arguments; the first is the path of the binary. `own` are the names and descriptions of the node's own
/// commands.
pub(super) fn parse(
    build: &Build,
    arguments: Vec<OsString>,
    own: &[(&'static str, &'static str)],
) -> Result<Asked, Failure> {
    let Build { name, version, .. } = *build;
    let command = Args::command().name(name).bin_name(name).version(version);
    // Leaked once per process: clap needs a static string.
    let command = command.long_version(&*build.to_string().leak());
    let command = command.propagate_version(true);
    if let Some((index, rest)) = help_of_own(&arguments, own) {
        return Ok(Asked::Own(index, rest));
    }
    let command = own.iter().fold(command, |command, (name, about)| command.subcommand(raw(name, about)));
    let command = flags::add(command, &arguments);
    let matches =
        command.try_get_matches_from(&arguments).map_err(|error| Failure::Clap(flags::suggest(error)))?;
    if let Some((name, matches)) = matches.subcommand()
        && let Some(index) = own.iter().position(|(own, _)| *own == name)
    {
        let rest = matches.get_many::<OsString>(REST).unwrap_or_default();
        return Ok(Asked::Own(index, rest.cloned().collect()));
    }
    let args = Args::from_arg_matches(&matches).map_err(Failure::Clap)?;
    Ok(Asked::BuiltIn(Box::new(args), flags::take(&matches, &arguments)?))
}

/// Rewrites `help COMMAND …` for a command that parses its own arguments, so that it prints its own help.
fn help_of_own(
    arguments: &[OsString],
    own: &[(&'static str, &'static str)],
) -> Option<(usize, Vec<OsString>)> {
    let [_, help, command, below @ ..] = arguments else { return None };
    let index = own.iter().position(|(name, _)| command == name).filter(|_| help == "help")?;
    match below {
        [] => Some((index, vec!["--help".into()])),
        below => Some((index, std::iter::once(help.clone()).chain(below.iter().cloned()).collect())),
    }
}

const REST: &str = "ARGUMENTS";

/// A command that parses its own arguments.
fn raw(name: &'static str, about: &'static str) -> clap::Command {
    let rest = clap::Arg::new(REST)
        .num_args(0..)
        .trailing_var_arg(true)
        .allow_hyphen_values(true)
        .value_parser(clap::value_parser!(OsString));
    clap::Command::new(name).about(about).disable_help_flag(true).disable_version_flag(true).arg(rest)
}

pub(super) fn duration(text: &str) -> Result<Duration, String> {
    humantime::parse_duration(text)
        .map_err(|error| format!("{error}; expected a duration, for instance 500ms, 5s or 1m"))
}

#[cfg(test)]
#[cfg(feature = "grpc")]
mod tests;
