//! The outbound edge: what every transport does with a call before its first byte leaves, and with how it ends.

use std::{future::Future, time::Duration};

use super::Limits;
use crate::{
    Code, Codec, Compression, Context, Payload, Response, Status, Streaming, deadline,
    encoding::Encoding,
    trace::{CallSpan, System, Traced, TracedOpening},
};

/// What the calls of a channel go through.
#[derive(Clone, Debug)]
pub(crate) struct Outbound {
    /// The codec of calls that name none.
    pub(crate) codec: Codec,
    /// The limits on responses, and on what is sent.
    pub(crate) limits: Limits,
}

/// A call that passed all checks.
pub(crate) struct Departure {
    /// How its messages are written, and how large one may be in either direction.
    pub(crate) encoding: Encoding,
    /// The time until its deadline, which travels with it.
    pub(crate) timeout: Option<Duration>,
}

impl Outbound {
    /// Checks a call that is about to leave.
    ///
    /// # Errors
    /// As not processed: `ResourceExhausted` for metadata over the limit, `DeadlineExceeded` if no time is left,
    /// `Unimplemented` for a compression that this build does not have.
    pub(crate) fn depart(&self, cx: &Context) -> Result<Departure, Status> {
        self.limits.check_metadata(&cx.metadata).map_err(Status::not_processed)?;
        let timeout = cx.time_left();
        if timeout.is_some_and(|timeout| timeout.is_zero()) {
            return Err(deadline::exceeded().not_processed());
        }
        let codec = cx.codec.unwrap_or(self.codec);
        let compression =
            cx.compression.map(Compression::supported).transpose().map_err(Status::not_processed)?;
        let limit = cx.message_limit.unwrap_or(usize::MAX).min(self.limits.max_message_bytes);
        Ok(Departure { encoding: Encoding { codec, compression, limit, counter: None }, timeout })
    }
}

/// Makes a call with one response, in its span.
pub(crate) fn unary<T, F: Future<Output = Result<T, Status>>>(
    (system, transport): (System, &'static str),
    mut cx: Context,
    work: impl FnOnce(Context) -> F,
) -> Traced<F> {
    let span = CallSpan::client(system, transport, &mut cx);
    span.run(work(cx))
}

/// Makes a call with streams, in its span, which ends with the last response.
pub(crate) fn stream<F: Future<Output = Result<Response<Streaming<Payload>>, Status>>>(
    (system, transport): (System, &'static str),
    mut cx: Context,
    work: impl FnOnce(Context) -> F,
) -> TracedOpening<F> {
    let span = CallSpan::client(system, transport, &mut cx);
    span.stream(work(cx))
}

/// The status of a response that the server broke off. This side did not cancel the call, and it is unknown whether a
/// handler processed it.
pub(crate) fn broken_off(status: Status, idempotent: bool) -> Status {
    let status = match status.code() {
        Code::Cancelled => Status::unavailable(status.message().to_owned()),
        _ => status,
    };
    status.maybe_executed(idempotent)
}
