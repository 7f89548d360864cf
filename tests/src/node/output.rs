use std::{path::Path, process::Stdio};

use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWriteExt},
    process::Command,
};

use super::binary;
use crate::patience::within;

/// A command that has run to its end.
#[derive(Clone, Debug)]
pub struct Finished {
    /// The exit status.
    pub code: i32,
    /// What it printed.
    pub stdout: String,
    /// What it said of itself.
    pub stderr: String,
}

/// `polywire-node call`, with these arguments.
pub async fn call(arguments: &[&str]) -> Finished {
    let mut all = vec!["call"];
    all.extend(arguments);
    run(Path::new("/"), &all).await
}

/// `polywire-node` with these arguments, in this directory.
pub async fn run(directory: &Path, arguments: &[&str]) -> Finished {
    run_with_stdin(directory, arguments, "").await
}

/// `polywire-node` with these arguments, in this directory, with this on its standard input.
///
/// # Panics
/// When it does not end in time.
pub async fn run_with_stdin(directory: &Path, arguments: &[&str], stdin: &str) -> Finished {
    let mut command = Command::new(binary());
    command.args(arguments).current_dir(directory);
    run_command(command, stdin).await
}

/// A command that runs the binary, with this on its standard input.
///
/// # Panics
/// When it does not end in time.
pub async fn run_command(mut command: Command, stdin: &str) -> Finished {
    command.kill_on_drop(true);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("the binary runs");
    let mut input = child.stdin.take().expect("a pipe");
    // It may end without having read it.
    let _ = input.write_all(stdin.as_bytes()).await;
    drop(input);
    let output = within(child.wait_with_output()).await.expect("its output");
    Finished {
        code: output.status.code().expect("no signal"),
        stdout: String::from_utf8(output.stdout).expect("text"),
        stderr: String::from_utf8(output.stderr).expect("text"),
    }
}

pub(super) async fn read_all(mut pipe: impl AsyncRead + Unpin) -> String {
    let mut bytes = Vec::new();
    // What was said before the pipe broke is what there is.
    let _ = pipe.read_to_end(&mut bytes).await;
    String::from_utf8_lossy(&bytes).into_owned()
}
