use std::{future::poll_fn, task::Poll};

use bytes::BytesMut;

use crate::{Payload, Status, Streaming, encoding::Encoding, wire};

/// Past this many bytes a write takes what it has. Small messages that are ready together share a write:
/// packets are the cost, not bytes.
const COALESCE: usize = 16 << 10;

/// Waits for the next message, appends it and those that are ready behind it; true at the stream's end.
///
/// # Errors
/// The status that ended the stream. Messages before it are in the buffer.
pub(super) async fn fill(
    messages: &mut Streaming<Payload>,
    buffer: &mut BytesMut,
    encoding: &Encoding,
) -> Result<bool, Status> {
    poll_fn(|task| {
        loop {
            match messages.poll_message(task) {
                Poll::Ready(Some(Ok(message))) => {
                    if let Err(status) = put_message(buffer, &message, encoding) {
                        return Poll::Ready(Err(status));
                    }
                    if buffer.len() >= COALESCE {
                        return Poll::Ready(Ok(false));
                    }
                }
                Poll::Ready(Some(Err(status))) => return Poll::Ready(Err(status)),
                Poll::Ready(None) => return Poll::Ready(Ok(true)),
                Poll::Pending if buffer.is_empty() => return Poll::Pending,
                Poll::Pending => return Poll::Ready(Ok(false)),
            }
        }
    })
    .await
}

/// Appends the message as a frame.
pub(super) fn put_message(
    buffer: &mut BytesMut,
    message: &Payload,
    encoding: &Encoding,
) -> Result<(), Status> {
    let compression = encoding.compression_of(message);
    wire::put_compressible_message(buffer, encoding.limit, compression, |buffer| {
        encoding.encode(message, buffer)
    })
}
