//! Configuration keys as flags: a clap argument for each key, so that help, completion and suggestions know them.

use std::{
    ffi::{OsStr, OsString},
    os::unix::ffi::OsStrExt as _,
};

use clap::{
    Arg, ArgAction, ArgMatches, Command, ValueHint,
    error::{ContextKind, ContextValue},
};

use super::failure::Failure;
use crate::config::{KeyHelp, keys, nearest_key};

/// Configuration keys and their values, in the order of the command line.
pub(super) type Flags = Vec<(String, OsString)>;

/// The commands that read a configuration.
const READERS: [&str; 5] = ["serve", "gateway", "services", "id", "invite"];

/// Those of them that are subcommands.
const READERS_BELOW: [(&str, &str); 3] = [("config", "print"), ("access", "list"), ("access", "revoke")];

/// Adds `--key.path VALUE` and `--key.path=VALUE` to the commands that read a configuration.
///
/// A key that is a list or a table has elements without end, such as `cluster.peers.0`: those that the arguments name
/// are added, and help does not show them.
pub(super) fn add(command: Command, arguments: &[OsString]) -> Command {
    let keys = keys();
    let elements = elements(&keys, arguments);
    let all = || keys.iter().map(argument).chain(elements.iter().map(|name| hidden(name)));
    let command = READERS.iter().fold(command, |command, reader| {
        command.mut_subcommand(reader, |command| match *reader {
            // Another node's configuration is not read.
            "services" => command.args(all().map(|key| key.conflicts_with(super::args::ASKED))),
            _ => command.args(all()),
        })
    });
    let command = ["config", "access"].iter().fold(command, |command, group| {
        command.mut_subcommand(group, |command| command.args(all().map(|key| key.hide(true))))
    });
    READERS_BELOW.iter().fold(command, |command, (group, reader)| {
        command.mut_subcommand(group, |command| command.mut_subcommand(reader, |command| command.args(all())))
    })
}

/// The names of elements among the arguments.
fn elements(keys: &[KeyHelp], arguments: &[OsString]) -> Vec<String> {
    let names =
        arguments.iter().take_while(|argument| *argument != "--").filter_map(|argument| name(argument));
    let mut elements: Vec<_> =
        names.filter(|name| keys.iter().any(|key| key.contains(name))).map(str::to_owned).collect();
    elements.sort_unstable();
    elements.dedup();
    elements
}

/// What stands between `--` and `=`.
fn name(argument: &OsStr) -> Option<&str> {
    let flag = argument.as_bytes().strip_prefix(b"--")?;
    str::from_utf8(flag.split(|byte| *byte == b'=').next()?).ok()
}

fn argument(key: &KeyHelp) -> Arg {
    let default = key.default.as_ref().map(|default| format!(" [default: {default}]")).unwrap_or_default();
    hidden(&key.name)
        .hide(false)
        // There are too many of them for `-h`.
        .hide_short_help(true)
        .help(format!("{}{default}", key.doc))
        .help_heading(format!("Configuration, [{}]", key.section))
        .value_hint(if key.is_path { ValueHint::AnyPath } else { ValueHint::Unknown })
}

fn hidden(name: &str) -> Arg {
    Arg::new(name.to_owned())
        .long(name.to_owned())
        .value_name("VALUE")
        .value_parser(clap::value_parser!(OsString))
        .action(ArgAction::Append)
        .allow_hyphen_values(true)
        .hide(true)
}

/// The flags that the arguments set, in their order: of two for one key the later wins.
///
/// # Errors
/// Bad usage where another flag stands in the place of a value.
pub(super) fn take(matches: &ArgMatches, arguments: &[OsString]) -> Result<Flags, Failure> {
    let mut flags = Flags::new();
    let mut level = Some(matches);
    while let Some(matches) = level {
        flags.extend(at(matches));
        level = matches.subcommand().map(|(_, below)| below);
    }
    match flags.iter().find(|(key, value)| is_swallowed(key, value, arguments)) {
        Some((key, _)) => {
            Err(Failure::usage(format!("--{key} has no value; expected --{key}=VALUE or --{key} VALUE")))
        }
        None => Ok(flags),
    }
}

/// The flags of one command.
fn at(matches: &ArgMatches) -> Flags {
    // The other arguments are fields of Rust structs, without dots in their names.
    let keys = matches.ids().map(clap::Id::as_str).filter(|name| name.contains('.'));
    let mut found: Vec<_> = keys
        .flat_map(|key| {
            let indices = matches.indices_of(key).into_iter().flatten();
            let values = matches.get_many::<OsString>(key).into_iter().flatten();
            indices.zip(values).map(move |(index, value)| (index, key.to_owned(), value.clone()))
        })
        .collect();
    found.sort_unstable();
    found.into_iter().map(|(_, key, value)| (key, value)).collect()
}

/// Whether the value is a flag of its own: `--a.b --json`, and not `--a.b=--json`. A value may begin with one hyphen, as
/// a negative number does, so clap lets it begin with two.
fn is_swallowed(key: &str, value: &OsStr, arguments: &[OsString]) -> bool {
    let is_flag = |argument: &OsStr| argument.as_bytes().strip_prefix(b"--") == Some(key.as_bytes());
    value.as_bytes().starts_with(b"--")
        && arguments.windows(2).any(|pair| is_flag(&pair[0]) && pair[1] == value)
}

/// The error, where it is about an unknown key with the suggestion that a file gets for it.
pub(super) fn suggest(mut error: clap::Error) -> clap::Error {
    if let Some(ContextValue::String(flag)) = error.get(ContextKind::InvalidArg)
        && let Some(key) = flag.strip_prefix("--").filter(|key| key.contains('.'))
        && let Some(near) = nearest_key(key)
    {
        error.insert(ContextKind::SuggestedArg, ContextValue::String(format!("--{near}")));
    }
    error
}

#[cfg(test)]
#[cfg(all(feature = "grpc", feature = "iroh"))]
mod tests;
