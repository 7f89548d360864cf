//! Compression as requests ask for it.

use polywire::{Compression, Status};

use crate::messages::BoolValue;

/// What is compressed is compressed with this, which every implementation of gRPC knows.
pub const COMPRESSION: Compression = Compression::Gzip;

/// Whether a message came as its request says.
///
/// # Errors
/// `InvalidArgument` where it did not.
pub fn check(expected: Option<&BoolValue>, found: Option<Compression>) -> Result<(), Status> {
    match (expected.map(|expected| expected.value), found) {
        (Some(true), None) => {
            Err(Status::invalid_argument("a compressed request was expected, and it came plain"))
        }
        (Some(false), Some(compression)) => Err(Status::invalid_argument(format!(
            "a plain request was expected, and it came compressed with {compression}"
        ))),
        _ => Ok(()),
    }
}

/// What an answer is to be compressed with; plain unless the request says.
pub fn wanted(asked: Option<&BoolValue>) -> Option<Compression> {
    asked.is_some_and(|asked| asked.value).then_some(COMPRESSION)
}
