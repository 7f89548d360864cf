//! Items for expansions of `#[polywire::main]`. They are not part of the public contract.

pub use crate::cli::IntoNodeBuilder;

/// Reports a transport that could not be registered, and returns the exit status.
pub fn refused(error: &polywire_core::transport::RegisterError) -> std::process::ExitCode {
    // If stderr is closed, the exit status still reports the failure.
    let _ = std::io::Write::write_fmt(&mut std::io::stderr(), format_args!("error: {error}\n"));
    std::process::ExitCode::FAILURE
}

/// The `main` of `#[polywire::main]`: a binary with the node's commands. It calls the function within a tokio runtime.
pub fn main<R: IntoNodeBuilder>(
    name: &'static str,
    version: &'static str,
    commit: Option<&'static str>,
    node: impl FnOnce() -> R,
) -> std::process::ExitCode {
    crate::cli::main(crate::cli::Build { name, version, commit }, async move { node().into_node_builder() })
}

/// As [`main`], for an `async` function.
pub fn main_async<R: IntoNodeBuilder, F: Future<Output = R>>(
    name: &'static str,
    version: &'static str,
    commit: Option<&'static str>,
    node: impl FnOnce() -> F,
) -> std::process::ExitCode {
    let build = crate::cli::Build { name, version, commit };
    crate::cli::main(build, async move { node().await.into_node_builder() })
}
