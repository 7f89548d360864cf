//! What commands say: answers on stdout, everything else on stderr.

use std::{
    fmt::Display,
    io::{self, Write as _},
    os::fd::AsFd as _,
};

use tokio::{io::Interest, net::unix::pipe::Sender};

use super::failure::Failure;

/// Writes an answer to stdout, where a reader has it at once.
pub(super) fn answer(text: &str) -> Result<(), Failure> {
    let mut stdout = io::stdout().lock();
    stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()).map_err(Failure::output)
}

/// Says something on stderr, without which the command does the same: a reader of it may have gone.
pub(super) fn note(text: impl Display) {
    let _ = writeln!(io::stderr().lock(), "{text}");
}

/// Several lines of that.
pub(super) fn notes(text: impl Display) {
    let _ = write!(io::stderr().lock(), "{text}");
}

/// Returns when stdout is a pipe whose other end was closed. Never, where stdout is something else.
pub(super) async fn reader_gone() {
    // Nothing is written through this one, so that it need not be made non-blocking, as stdout would be with it. A file
    // cannot be waited for, and needs no waiting.
    let stdout = io::stdout().as_fd().try_clone_to_owned().and_then(Sender::from_owned_fd_unchecked);
    match stdout {
        Ok(stdout) if stdout.ready(Interest::ERROR).await.is_ok() => {}
        _ => std::future::pending().await,
    }
}
