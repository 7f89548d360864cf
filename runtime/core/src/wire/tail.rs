use bytes::{Bytes, BytesMut};

use super::{
    FrameKind, WireError,
    field::{self, METADATA},
    frame::put_frame,
};
use crate::{
    Code, Metadata, Status,
    status::{Fitted, Scale},
};

/// How an answer ended: the payload of its end frame.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tail {
    /// The code's number; 0 is success.
    pub code: u8,
    /// The message for people.
    pub message: String,
    /// The details for programs.
    pub details: Bytes,
    /// The trailing metadata.
    pub metadata: Metadata,
    /// Whether it is certain that no handler saw the call. Means nothing with code 0.
    pub not_processed: bool,
}

const CODE: u8 = 0x01;
const MESSAGE: u8 = 0x02;
const DETAILS: u8 = 0x04;
const NOT_PROCESSED: u8 = 0x81;

/// Appends the end of an answer. What does not fit `limit` bytes gives way: first the message's end, then the
/// details, then the metadata, so that the code always arrives. The message says what was left out.
pub fn put_tail(buffer: &mut BytesMut, outcome: Result<&Metadata, &Status>, limit: usize) {
    put_frame(buffer, FrameKind::End, |buffer| match outcome {
        Ok(metadata) if metadata.weight() <= limit => field::put_metadata(buffer, metadata),
        Ok(_) => {
            put_status(buffer, &Status::resource_exhausted("the trailing metadata is over the limit"), limit)
        }
        Err(status) => put_status(buffer, status, limit),
    });
}

fn put_status(buffer: &mut BytesMut, status: &Status, limit: usize) {
    field::put(buffer, CODE, &[status.code().number()]);
    if status.is_not_processed() {
        field::put(buffer, NOT_PROCESSED, &[]);
    }
    let Fitted { message, details, metadata } = status.fitted(limit.saturating_sub(OVERHEAD), &SCALE);
    if !message.is_empty() {
        field::put(buffer, MESSAGE, message.as_bytes());
    }
    if let Some(metadata) = metadata {
        field::put_metadata(buffer, metadata);
    }
    if !details.is_empty() {
        field::put(buffer, DETAILS, details);
    }
}

/// What the tags and lengths of a status weigh, and its code.
const OVERHEAD: usize = 32;

const SCALE: Scale = Scale { message: str::len, details: |length| length, metadata: Metadata::weight };

/// Reads the payload of an end frame that a caller sent. No field is assigned there yet.
///
/// # Errors
/// When it is malformed or has a field that must be understood.
pub fn parse_end(mut payload: Bytes) -> Result<(), WireError> {
    while let Some(field) = field::take(&mut payload)? {
        field::unknown(field.tag, "caller's end")?;
    }
    Ok(())
}

impl Tail {
    /// Reads the payload of an end frame that a responder sent.
    ///
    /// # Errors
    /// When it is malformed or has a field that must be understood and is not.
    pub fn parse(mut payload: Bytes) -> Result<Self, WireError> {
        let mut tail = Self::default();
        while let Some(field) = field::take(&mut payload)? {
            match field.tag {
                CODE => tail.code = field::byte(&field.value)?,
                MESSAGE => tail.message = String::from_utf8_lossy(&field.value).into_owned(),
                METADATA => field::take_metadata(field.value, &mut tail.metadata)?,
                DETAILS => tail.details = field.value,
                NOT_PROCESSED => tail.not_processed = true,
                tag => field::unknown(tag, "answer's end")?,
            }
        }
        Ok(tail)
    }

    /// The trailing metadata of a success, or the status of a failure.
    ///
    /// # Errors
    /// When the call failed: its status.
    pub fn into_outcome(self) -> Result<Metadata, Status> {
        match Code::from_number(self.code.into()) {
            Code::Ok => Ok(self.metadata),
            code => {
                let status =
                    Status::new(code, self.message).with_details(self.details).with_metadata(self.metadata);
                Err(if self.not_processed { status.not_processed() } else { status })
            }
        }
    }
}
