//! What a case says when something is not as it should be.

use std::{error::Error, fmt, future::Future, panic::Location, time::Duration};

use polywire::{Code, Status, transport::BindError};

/// How a case ends.
pub(super) type Verdict = Result<(), Stop>;

/// Why a case ended before its end.
#[derive(Debug)]
pub(super) enum Stop {
    /// Something is not as it should be: what was expected, what was found, and the line that says so.
    Failed(String),
    /// There is nothing to be found out here, and why.
    NotApplicable(String),
}

impl Stop {
    #[track_caller]
    pub(super) fn failed(what: impl fmt::Display) -> Self {
        Self::at(Location::caller(), what)
    }

    pub(super) fn at(place: &Location<'_>, what: impl fmt::Display) -> Self {
        Self::Failed(format!("{what} ({}:{})", file_name(place.file()), place.line()))
    }
}

fn file_name(path: &str) -> &str {
    path.rsplit(['/', '\\']).next().unwrap_or(path)
}

impl From<Status> for Stop {
    #[track_caller]
    fn from(status: Status) -> Self {
        Self::failed(format_args!("expected the call to succeed, found {}", Chain(&status)))
    }
}

impl From<BindError> for Stop {
    #[track_caller]
    fn from(error: BindError) -> Self {
        Self::failed(format_args!("expected the transport to bind, found: {}", Chain(&error)))
    }
}

/// An error and what it came from, without what the text already quotes.
struct Chain<'a>(&'a dyn Error);

impl fmt::Display for Chain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = self.0.to_string();
        let mut source = self.0.source();
        while let Some(error) = source {
            let deeper = error.to_string();
            if !text.contains(&deeper) {
                text = format!("{text}: {deeper}");
            }
            source = error.source();
        }
        f.write_str(&text)
    }
}

/// That this holds; `what` says what was expected and what was found.
#[track_caller]
pub(super) fn ensure(holds: bool, what: impl fmt::Display) -> Verdict {
    if holds { Ok(()) } else { Err(Stop::failed(what)) }
}

/// That the two are equal.
#[track_caller]
pub(super) fn same<T, U>(what: &str, found: &T, expected: &U) -> Verdict
where
    T: PartialEq<U> + fmt::Debug + ?Sized,
    U: fmt::Debug + ?Sized,
{
    if found == expected {
        return Ok(());
    }
    Err(Stop::failed(format_args!("{what}: expected {}, found {}", brief(expected), brief(found))))
}

/// That the call failed with this code.
#[track_caller]
pub(super) fn fails<T: fmt::Debug>(outcome: Result<T, Status>, code: Code) -> Result<Status, Stop> {
    match outcome {
        Err(status) if status.code() == code => Ok(status),
        Err(status) => Err(Stop::failed(format_args!("expected {code}, found {}", Chain(&status)))),
        Ok(answer) => Err(Stop::failed(format_args!("expected {code}, found the answer {}", brief(&answer)))),
    }
}

/// The stream's next message, which there must be.
#[track_caller]
pub(super) fn some<T>(message: Result<Option<T>, Status>) -> Result<T, Stop> {
    match message {
        Ok(Some(message)) => Ok(message),
        Ok(None) => Err(Stop::failed("expected a message, found the end of the stream")),
        Err(status) => Err(Stop::failed(format_args!("expected a message, found {}", Chain(&status)))),
    }
}

/// That the stream has ended well.
#[track_caller]
pub(super) fn ended<T: fmt::Debug>(message: Result<Option<T>, Status>) -> Verdict {
    match message {
        Ok(None) => Ok(()),
        Ok(Some(message)) => {
            Err(Stop::failed(format_args!("expected the end of the stream, found {}", brief(&message))))
        }
        Err(status) => {
            Err(Stop::failed(format_args!("expected the end of the stream, found {}", Chain(&status))))
        }
    }
}

/// What the future comes to, if it does so in time.
#[track_caller]
pub(super) fn within<F: Future>(
    limit: Duration,
    what: &str,
    future: F,
) -> impl Future<Output = Result<F::Output, Stop>> {
    let place = Location::caller();
    async move {
        let late =
            |_| Stop::at(place, format_args!("{what}: expected within {limit:?}, found nothing until then"));
        tokio::time::timeout(limit, future).await.map_err(late)
    }
}

/// As text of a length that a table can bear.
fn brief(value: &(impl fmt::Debug + ?Sized)) -> String {
    let text = format!("{value:?}");
    match text.char_indices().nth(BRIEF) {
        None => text,
        Some((end, _)) => format!("{}… ({} bytes of text)", &text[..end], text.len()),
    }
}

const BRIEF: usize = 200;

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    #[test]
    fn an_error_is_said_with_what_it_came_from_and_nothing_twice() {
        let taken = || io::Error::new(io::ErrorKind::AddrInUse, "address in use");
        let said = |stop| match stop {
            Stop::Failed(text) | Stop::NotApplicable(text) => text,
        };
        let bind = said(BindError::listen("bind_address", "127.0.0.1:1", taken()).into());
        let expected =
            "cannot listen on 127.0.0.1:1 (configuration key bind_address): address in use (check.rs:";
        assert!(bind.contains(expected), "{bind}");
        let status = || Status::unavailable("not connected").with_source(taken());
        let expected = "UNAVAILABLE: not connected: address in use (check.rs:";
        for stop in [
            Stop::from(status()),
            fails::<()>(Err(status()), Code::Aborted).unwrap_err(),
            some::<()>(Err(status())).unwrap_err(),
            ended::<()>(Err(status())).unwrap_err(),
        ] {
            let text = said(stop);
            assert!(text.contains(expected), "{text}");
        }
        let quoting = said(Status::unavailable("not connected: address in use").with_source(taken()).into());
        assert_eq!(quoting.matches("address in use").count(), 1, "{quoting}");
    }
}
