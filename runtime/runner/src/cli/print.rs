//! Output of commands: results on stdout, everything else on stderr.

use std::{
    fmt::Display,
    io::{self, Write as _},
    os::fd::AsFd as _,
};

use tokio::{io::Interest, net::unix::pipe::Sender};

use super::failure::Failure;
use crate::command::CommandError;
use polywire_core::PlainLines;

/// Writes a result to stdout and flushes it. What peers have said controls no terminal.
pub(super) fn answer(text: &str) -> Result<(), Failure> {
    let mut stdout = io::stdout().lock();
    write!(stdout, "{}", PlainLines(text)).and_then(|()| stdout.flush()).map_err(Failure::output)
}

/// Writes a line to stderr. A closed stderr does not fail the command.
pub(super) fn note(text: impl Display) {
    let _ = writeln!(io::stderr().lock(), "{}", PlainLines(&text.to_string()));
}

/// Writes complete lines to stderr, as [`note`].
pub(super) fn notes(text: impl Display) {
    let _ = write!(io::stderr().lock(), "{}", PlainLines(&text.to_string()));
}

/// Returns when stdout is a pipe and its reader closes it; otherwise never.
pub(super) async fn reader_gone() {
    // Unchecked: nothing is written through this descriptor, so it may stay blocking; making it non-blocking would change
    // stdout too. A file cannot be polled and never loses its reader.
    let stdout = io::stdout().as_fd().try_clone_to_owned().and_then(Sender::from_owned_fd_unchecked);
    match stdout {
        Ok(stdout) if stdout.ready(Interest::ERROR).await.is_ok() => {}
        _ => std::future::pending().await,
    }
}

/// Writes a command's output to stdout.
///
/// # Errors
/// If stdout cannot be written. The command should return the error: it ends without a message if the reader has closed
/// the pipe.
pub fn print(text: &str) -> Result<(), CommandError> {
    answer(text).map_err(|failure| match failure {
        Failure::Other(error) => CommandError::Other(error),
        _ => CommandError::Other(io::Error::from(io::ErrorKind::BrokenPipe).into()),
    })
}
