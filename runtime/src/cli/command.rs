use std::{error::Error, ffi::OsString, sync::Arc};

use super::failure::Failure;
use crate::{Status, service::BoxFuture};

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
    /// The binary and the command's name, as they were written: `polywire-node cluster`.
    pub invoked: String,
    /// What came behind the name.
    pub rest: Vec<OsString>,
}

/// How a command failed.
#[derive(Debug)]
pub enum CommandError {
    /// Help was asked for, which is printed on stdout; the exit status is 0.
    Help(String),
    /// The command line is wrong: exit status 2.
    Usage(String),
    /// A call ended with this status: exit status 64 + its code.
    Status(Status),
    /// The command has done what it was asked to, and this exit status is its answer, from 3 to 63. Nothing more is said.
    Exit(u8),
    /// Anything else: exit status 1.
    Other(Box<dyn Error + Send + Sync>),
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
            CommandError::Status(status) => Self::Status(status),
            CommandError::Exit(status) => Self::Exit(status),
            CommandError::Other(error) => Self::Other(error),
        }
    }
}

/// [`Command`] as an object.
pub(crate) trait DynCommand: Send + Sync {
    fn dyn_name(&self) -> &'static str;

    fn dyn_about(&self) -> &'static str;

    fn dyn_run(self: Arc<Self>, arguments: Arguments) -> BoxFuture<Result<(), CommandError>>;
}

impl<C: Command> DynCommand for C {
    fn dyn_name(&self) -> &'static str {
        self.name()
    }

    fn dyn_about(&self) -> &'static str {
        self.about()
    }

    fn dyn_run(self: Arc<Self>, arguments: Arguments) -> BoxFuture<Result<(), CommandError>> {
        Box::pin(async move { self.run(arguments).await })
    }
}
