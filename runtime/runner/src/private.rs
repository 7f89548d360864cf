//! What expansions of `#[polywire::main]` name. No part of the public contract.

pub use crate::cli::IntoNodeBuilder;

/// How a binary ends whose transport could not be registered.
pub fn refused(error: &polywire_core::transport::RegisterError) -> std::process::ExitCode {
    // Where stderr is closed, the exit status still tells.
    let _ = std::io::Write::write_fmt(&mut std::io::stderr(), format_args!("error: {error}\n"));
    std::process::ExitCode::FAILURE
}

/// What `#[polywire::main]` makes of a function: a binary with the node's commands, which calls the function
/// within a tokio runtime.
pub fn main<R: IntoNodeBuilder>(
    name: &'static str,
    version: &'static str,
    commit: Option<&'static str>,
    node: impl FnOnce() -> R,
) -> std::process::ExitCode {
    crate::cli::main(crate::cli::Build { name, version, commit }, async move { node().into_node_builder() })
}

/// As [`main`], of an `async` function.
pub fn main_async<R: IntoNodeBuilder, F: Future<Output = R>>(
    name: &'static str,
    version: &'static str,
    commit: Option<&'static str>,
    node: impl FnOnce() -> F,
) -> std::process::ExitCode {
    let build = crate::cli::Build { name, version, commit };
    crate::cli::main(build, async move { node().await.into_node_builder() })
}
