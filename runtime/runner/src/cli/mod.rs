//! The command line of every node's binary: `serve`, `gateway`, `call`, `services`, `config`, `id`, `invite`, `token`,
//! `access`.
//!
//! Exit status: 0 for success; 64 + the gRPC code for a failed call; 2 for bad usage; 101 if a panic below the node ended
//! `serve` or `gateway`; 141 if the reader of stdout closed the pipe; 1 for any other failure. A node's own commands may
//! have others.

mod access;
mod args;
mod build;
mod call;
mod caller_args;
mod config;
mod connect;
mod crash;
#[cfg(test)]
#[cfg(feature = "grpc")]
mod demo;
mod directory;
mod failure;
mod flags;
mod gateway;
mod id;
mod interrupt;
mod json;
mod listen;
mod log;
mod lookup;
mod node;
mod print;
mod reflection;
mod reload;
mod schema;
mod serve;
mod services;
mod settings;
mod suggest;
mod traces;

use std::{ffi::OsString, future::Future, process::ExitCode};

pub use crate::command::{Arguments, Command, CommandError};
pub(crate) use build::Build;
pub use caller_args::CallerArgs;
pub use node::IntoNodeBuilder;
pub use print::print;

use self::{
    args::{Asked, Command as BuiltIn, ConfigCommand},
    failure::Failure,
    node::Made,
};

/// Runs the command that the arguments name, on its own runtime, and reports the outcome. Only commands that need the node
/// create it.
pub(crate) fn main(build: Build, node: impl Future<Output = Made>) -> ExitCode {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let outcome = match runtime {
        Ok(runtime) => {
            let outcome = runtime.block_on(run(&build, std::env::args_os().collect(), node));
            // A thread that waits for stdin, or a name lookup, must not keep the process alive.
            runtime.shutdown_background();
            outcome
        }
        Err(error) => Err(Failure::other(error)),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}

async fn run(
    build: &Build,
    arguments: Vec<OsString>,
    node: impl Future<Output = Made>,
) -> Result<(), Failure> {
    let program =
        arguments.first().map_or_else(|| build.name.into(), |program| program.to_string_lossy().into_owned());
    if !args::is_built_in(&arguments) {
        return own(build, arguments, node.await).await;
    }
    let Asked::BuiltIn(args, flags) = args::parse(build, arguments, &[])? else {
        return Ok(());
    };
    match args.command {
        BuiltIn::Serve(args) => serve::serve(&program, args, flags, node).await,
        BuiltIn::Gateway(args) => gateway::gateway(&program, args, flags).await,
        BuiltIn::Call(args) => call::call(args, node).await,
        BuiltIn::Services(args) => services::services(args, flags, node).await,
        BuiltIn::Config(ConfigCommand::Check(args)) => config::check(args, &flags, node).await,
        BuiltIn::Config(ConfigCommand::Print(args)) => config::print(&args.config(), flags),
        BuiltIn::Id(args) => id::id(&args, flags),
        BuiltIn::Invite(args) => access::invite(args, flags).await,
        BuiltIn::Token(command) => access::token(command),
        BuiltIn::Access(command) => access::access(command, flags).await,
    }
}

/// Runs a command of the node's own, or reports an unknown one.
async fn own(build: &Build, arguments: Vec<OsString>, node: Made) -> Result<(), Failure> {
    // A node that cannot be created has no commands; the help still works.
    let commands = node.map(|node| node.commands().to_vec()).unwrap_or_default();
    let named: Vec<_> = commands.iter().map(|command| (command.dyn_name(), command.dyn_about())).collect();
    let Asked::Own(index, rest) = args::parse(build, arguments, &named)? else {
        return Ok(());
    };
    let command = commands[index].clone();
    let invoked = format!("{} {}", build.name, command.dyn_name());
    Ok(command.dyn_run(Arguments { invoked, rest, version: build.version }).await?)
}
