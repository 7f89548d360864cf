use std::{error::Error, ffi::OsString, io, sync::Arc};

use super::failure::Failure;
use futures_util::future::BoxFuture;
use polywire_core::Status;

/// A command of a node's binary beside those that every one has, added by
/// [`NodeBuilder::command`](crate::NodeBuilder::command).
pub trait Command: Send + Sync + 'static {
    /// Its name, the first argument. One that a built-in command has is never run.
    fn name(&self) -> &'static str;

    /// What it does, in one line of the help.
    fn about(&self) -> &'static str;

    /// Runs it.
    ///
    /// # Errors
    /// How it failed, which is also the exit status of the process.
    fn run(&self, arguments: Arguments) -> impl Future<Output = Result<(), CommandError>> + Send;
}

/// What a command was called with.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Arguments {
    /// The names of the binary and of the command: `polywire-node cluster`.
    pub invoked: String,
    /// What came behind the command's name.
    pub rest: Vec<OsString>,
    /// The binary's version.
    pub version: &'static str,
}

impl Arguments {
    /// Reads the arguments as the built-in commands read theirs, with the same help, usage and version.
    ///
    /// # Errors
    /// What clap has to say of them, which the command returns.
    pub fn parse<P: clap::Parser>(self) -> Result<P, CommandError> {
        let command = P::command()
            .bin_name(&self.invoked)
            .display_name(self.invoked.replace(' ', "-"))
            .version(self.version)
            .propagate_version(true);
        let all = std::iter::once(self.invoked.into()).chain(self.rest);
        let matches = command.try_get_matches_from(all)?;
        Ok(P::from_arg_matches(&matches)?)
    }
}

/// Writes a command's answer to stdout.
///
/// # Errors
/// When it cannot be written; the command returns that, and ends quietly where its reader has gone.
pub fn print(answer: &str) -> Result<(), CommandError> {
    super::print::answer(answer).map_err(|failure| match failure {
        Failure::Other(error) => CommandError::Other(error),
        _ => CommandError::Other(io::Error::from(io::ErrorKind::BrokenPipe).into()),
    })
}

/// How a command failed.
#[derive(Debug)]
pub enum CommandError {
    /// Help was asked for, which is printed on stdout; the exit status is 0.
    Help(String),
    /// The command line is wrong: exit status 2.
    Usage(String),
    /// What clap has to say of the command line: exit status 2, or 0 where it was asked for help or the version.
    CommandLine(clap::Error),
    /// A call ended with this status: exit status 64 + its code.
    Status(Status),
    /// The command has done what it was asked to, and this exit status is its answer, from 3 to 63. Nothing more is said.
    Exit(u8),
    /// Anything else: exit status 1. An [`io::Error`] of the kind `BrokenPipe` says that the reader of stdout has gone, and
    /// ends the command as SIGPIPE does other tools: without a word, exit status 141.
    Other(Box<dyn Error + Send + Sync>),
}

impl From<clap::Error> for CommandError {
    fn from(error: clap::Error) -> Self {
        Self::CommandLine(error)
    }
}

impl From<Status> for CommandError {
    fn from(status: Status) -> Self {
        Self::Status(status)
    }
}

impl From<CommandError> for Failure {
    fn from(error: CommandError) -> Self {
        match error {
            CommandError::Help(text) => Self::Help(text),
            CommandError::Usage(message) => Self::usage(message),
            CommandError::CommandLine(error) => Self::Clap(error),
            CommandError::Status(status) => Self::Status(status),
            CommandError::Exit(status) => Self::Exit(status),
            CommandError::Other(error) => match error.downcast_ref::<io::Error>() {
                Some(error) if error.kind() == io::ErrorKind::BrokenPipe => Self::Gone,
                _ => Self::Other(error),
            },
        }
    }
}

/// [`Command`] as an object.
pub(crate) trait DynCommand: Send + Sync {
    fn dyn_name(&self) -> &'static str;

    fn dyn_about(&self) -> &'static str;

    fn dyn_run(self: Arc<Self>, arguments: Arguments) -> BoxFuture<'static, Result<(), CommandError>>;
}

impl<C: Command> DynCommand for C {
    fn dyn_name(&self) -> &'static str {
        self.name()
    }

    fn dyn_about(&self) -> &'static str {
        self.about()
    }

    fn dyn_run(self: Arc<Self>, arguments: Arguments) -> BoxFuture<'static, Result<(), CommandError>> {
        Box::pin(async move { self.run(arguments).await })
    }
}
