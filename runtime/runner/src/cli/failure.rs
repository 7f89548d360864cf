use std::{
    error::Error,
    io::{self, Write as _},
    process::ExitCode,
};

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};

use crate::command::CommandError;

use super::{
    call::details,
    json::{Shown, Types},
};
use polywire_core::{PlainLines, Status};

/// The failure of a command, with its exit status.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The command line is wrong: 2.
    Usage(String),
    /// Clap's error: 2, or 0 for help and the version.
    Clap(clap::Error),
    /// The help to print: 0.
    Help(String),
    /// A call ended with this status: 64 + its code.
    Status(Status),
    /// The same, with its details as lines, and notes on them.
    Detailed(Status, String, Vec<String>),
    /// Already reported: this status.
    Exit(u8),
    /// The reader of stdout has closed the pipe: 141, as if SIGPIPE had ended the process.
    Gone,
    /// Any other failure: 1.
    Other(Box<dyn Error + Send + Sync>),
}

/// The exit status of a failed call is this plus the gRPC code, as in grpcurl.
const STATUS_BASE: u8 = 64;

/// The exit status that a shell reports for a process ended by SIGPIPE (13).
const GONE: u8 = 128 + 13;

impl Failure {
    pub(super) fn usage(message: impl Into<String>) -> Self {
        Self::Usage(message.into())
    }

    pub(super) fn other(error: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::Other(error.into())
    }

    /// Stdout could not be written to.
    pub(super) fn output(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::BrokenPipe => Self::Gone,
            kind => Self::other(io::Error::new(kind, format!("stdout: {error}"))),
        }
    }

    /// Reports the failure on stderr. Clap prints its own errors, and help on stdout.
    pub(super) fn report(self) -> ExitCode {
        let said = match &self {
            Self::Clap(error) => error.print(),
            Self::Help(text) => write!(io::stdout().lock(), "{text}"),
            // If stderr is closed, the exit status still reports the failure.
            _ => write!(io::stderr().lock(), "{}", PlainLines(&self.text())).or(Ok(())),
        };
        let gone =
            self.exit_status() == 0 && said.is_err_and(|error| error.kind() == io::ErrorKind::BrokenPipe);
        ExitCode::from(if gone { GONE } else { self.exit_status() })
    }

    fn text(&self) -> String {
        match self {
            Self::Usage(message) => format!("error: {message}\n"),
            Self::Help(text) => text.clone(),
            Self::Exit(_) | Self::Gone => String::new(),
            Self::Clap(error) => error.to_string(),
            Self::Status(status) if status.details().is_empty() => format!("{status}\n"),
            Self::Status(status) => match details::shown(status, &Types::of([details::standard()])) {
                Some(Shown { json, notes }) => detailed(status, &json, &notes),
                None => format!("{status}\ndetails (base64): {}\n", BASE64.encode(status.details())),
            },
            Self::Detailed(status, lines, notes) => detailed(status, lines, notes),
            Self::Other(_) => self.lines().iter().map(|line| format!("error: {line}\n")).collect(),
        }
    }

    /// The text of the failure without a prefix, a line per error.
    pub(super) fn lines(&self) -> Vec<String> {
        let text = match self {
            Self::Other(error) => causes(&**error),
            Self::Usage(message) => message.clone(),
            _ => self.text(),
        };
        text.lines().map(str::to_owned).collect()
    }

    pub(super) fn exit_status(&self) -> u8 {
        match self {
            Self::Usage(_) => 2,
            Self::Help(_) => 0,
            // Clap's only exit statuses are 0 and 2.
            Self::Clap(error) => u8::from(error.use_stderr()) * 2,
            Self::Status(status) | Self::Detailed(status, ..) => STATUS_BASE + status.code().number(),
            Self::Exit(status) => *status,
            Self::Gone => GONE,
            Self::Other(_) => 1,
        }
    }
}

impl From<Status> for Failure {
    fn from(status: Status) -> Self {
        Self::Status(status)
    }
}

/// A status with its details.
fn detailed(status: &Status, lines: &str, notes: &[String]) -> String {
    let notes: String = notes.iter().map(|why| format!("note: {why}\n")).collect();
    format!("{status}\n{lines}{notes}")
}

/// The error and its causes on one line, without causes that the text already quotes.
fn causes(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let deeper = error.to_string();
        if !text.contains(&deeper) {
            text = format!("{text}: {deeper}");
        }
        cause = error.source();
    }
    text
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

#[cfg(test)]
mod tests {
    use super::*;
    use polywire_core::Code;

    #[test]
    fn a_status_is_64_and_its_code() {
        for code in Code::ALL {
            let failure = Failure::from(Status::new(code, "why"));
            assert_eq!(failure.exit_status(), 64 + code.number());
            assert_eq!(failure.text(), format!("{}: why\n", code.name()));
        }
    }

    #[test]
    fn details_are_a_line_of_their_own() {
        let failure = Failure::from(Status::aborted("why").with_details(vec![0, 255]));
        assert_eq!(failure.text(), "ABORTED: why\ndetails (base64): AP8=\n");
    }

    #[test]
    fn several_errors_are_a_line_each() {
        let failure = Failure::other("a.toml:1:1: one\na.toml:2:1: two");
        assert_eq!(failure.text(), "error: a.toml:1:1: one\nerror: a.toml:2:1: two\n");
    }

    #[test]
    fn a_failure_says_what_caused_it_and_nothing_twice() {
        #[derive(Debug, thiserror::Error)]
        #[error("{text}")]
        struct Layer {
            text: &'static str,
            source: Option<Box<Self>>,
        }
        let bottom = Layer { text: "address in use", source: None };
        let quoting = Layer { text: "cannot bind: address in use", source: Some(Box::new(bottom)) };
        let top = Layer { text: "the node did not start", source: Some(Box::new(quoting)) };
        let failure = Failure::other(top);
        assert_eq!(failure.text(), "error: the node did not start: cannot bind: address in use\n");
        assert_eq!(failure.exit_status(), 1);
    }

    #[test]
    fn a_reader_that_has_gone_is_told_nothing() {
        let failure = Failure::output(io::Error::from(io::ErrorKind::BrokenPipe));
        assert_eq!((failure.text(), failure.exit_status()), (String::new(), 141));
        let full = Failure::output(io::Error::from(io::ErrorKind::StorageFull));
        assert!(full.text().starts_with("error: stdout: "));
        assert_eq!(full.exit_status(), 1);
    }
}
