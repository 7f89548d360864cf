//! A command of a node's binary.

use std::{error::Error, ffi::OsString, sync::Arc};

use futures_util::future::BoxFuture;
use polywire_core::Status;

/// A command of a node's binary beside the built-in ones, added by [`NodeBuilder::command`](crate::NodeBuilder::command).
pub trait Command: Send + Sync + 'static {
    /// The name: the first argument. A built-in command of the same name takes precedence.
    fn name(&self) -> &'static str;

    /// The description: one line of the help.
    fn about(&self) -> &'static str;

    /// Runs the command.
    ///
    /// # Errors
    /// The failure, which also decides the exit status of the process.
    ///
    /// # Cancel safety
    /// The command line drops the future only when the process ends.
    fn run(&self, arguments: Arguments) -> impl Future<Output = Result<(), CommandError>> + Send;
}

/// The arguments of a command.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Arguments {
    /// The names of the binary and of the command: `polywire-node cluster`.
    pub invoked: String,
    /// The arguments behind the command's name.
    pub rest: Vec<OsString>,
    /// The binary's version.
    pub version: &'static str,
}

impl Arguments {
    /// Parses the arguments as the built-in commands do, with the same help, usage and version.
    ///
    /// # Errors
    /// Clap's error, which the command should return.
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

/// The failure of a command.
#[derive(Debug)]
pub enum CommandError {
    /// The help to print on stdout; exit status 0.
    Help(String),
    /// The command line is wrong: exit status 2.
    Usage(String),
    /// Clap's error: exit status 2, or 0 for help and the version.
    CommandLine(clap::Error),
    /// A call ended with this status: exit status 64 + its code.
    Status(Status),
    /// The command succeeded and this exit status, from 3 to 63, is its result. Nothing is printed.
    Exit(u8),
    /// Any other failure: exit status 1. An [`io::Error`](std::io::Error) of the kind `BrokenPipe` means that the reader of stdout has
    /// closed the pipe, and ends the command as SIGPIPE would: without a message, exit status 141.
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
