use std::{error::Error, fmt};

use polywire::{Code, MetadataError, Status};

use crate::messages::Payload;

/// What was expected of the server, and what was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure(String);

impl Failure {
    /// A failure that says this.
    pub fn new(message: impl Into<String>) -> Self {
        Self(message.into())
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Error for Failure {}

impl From<Status> for Failure {
    fn from(status: Status) -> Self {
        Self(format!("expected success, found {}", described(&status)))
    }
}

impl From<MetadataError> for Failure {
    fn from(error: MetadataError) -> Self {
        Self(error.to_string())
    }
}

pub(super) fn equal<T: PartialEq + fmt::Debug>(what: &str, expected: T, found: T) -> Result<(), Failure> {
    if expected == found {
        return Ok(());
    }
    Err(Failure(format!("{what}: expected {expected:?}, found {found:?}")))
}

/// Whether the call failed with this code; its status then.
pub(super) fn failed<T>(what: &str, expected: Code, found: Result<T, Status>) -> Result<Status, Failure> {
    match found {
        Err(status) if status.code() == expected => Ok(status),
        Err(status) => {
            Err(Failure(format!("{what}: expected {}, found {}", expected.name(), described(&status))))
        }
        Ok(_) => Err(Failure(format!("{what}: expected {}, found an answer", expected.name()))),
    }
}

/// Whether the payload is of so many zeros.
pub(super) fn zeros(expected: i32, found: Option<&Payload>) -> Result<(), Failure> {
    let Some(Payload { body, .. }) = found else {
        return Err(Failure(format!("expected a payload of {expected} bytes, found none")));
    };
    equal("bytes of payload", usize::try_from(expected), Ok(body.len()))?;
    match body.iter().position(|byte| *byte != 0) {
        Some(position) => {
            Err(Failure(format!("expected zeros, found {:#04x} at {position}", body[position])))
        }
        None => Ok(()),
    }
}

fn described(status: &Status) -> String {
    format!("{}: {:?}", status.code().name(), status.message())
}
