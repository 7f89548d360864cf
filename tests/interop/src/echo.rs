//! The metadata and the status that the server gives back.

use polywire::{Code, Context, Metadata, Response, Status, Streaming};

use crate::messages::EchoStatus;

/// The key whose ASCII value comes back before the answer.
pub const INITIAL: &str = "x-grpc-test-echo-initial";

/// The key whose binary value comes back behind the answer.
pub const TRAILING: &str = "x-grpc-test-echo-trailing-bin";

/// What of a call's metadata comes back.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Echo {
    initial: Metadata,
    trailing: Metadata,
}

impl Echo {
    /// What is to come back of this call's metadata.
    pub fn of(cx: &Context) -> Self {
        let mut echo = Self::default();
        // The keys are known to be good, and so is a value that has been received.
        for value in cx.metadata().get_all(INITIAL) {
            let _ = echo.initial.append(INITIAL, value);
        }
        for value in cx.metadata().get_all_bin(TRAILING) {
            let _ = echo.trailing.append_bin(TRAILING, value.clone());
        }
        echo
    }

    /// Puts it around one message.
    pub fn around<T>(self, message: T) -> Response<T> {
        Response::new(message).with_metadata(self.initial).with_trailers(self.trailing)
    }

    /// Puts it around a stream of messages.
    pub fn around_stream<T: Send + 'static>(
        self,
        response: Response<Streaming<T>>,
    ) -> Response<Streaming<T>> {
        let trailing = self.trailing;
        response.map(|messages| messages.with_trailers(move || trailing)).with_metadata(self.initial)
    }
}

/// Ends the call as the request asks for, if it does.
///
/// # Errors
/// What was asked for; a number that is no code's is `Unknown`.
pub fn status(asked: Option<&EchoStatus>) -> Result<(), Status> {
    match asked {
        Some(asked) if asked.code != 0 => {
            let code = u64::try_from(asked.code).map_or(Code::Unknown, Code::from_number);
            Err(Status::new(code, asked.message.clone()))
        }
        _ => Ok(()),
    }
}
