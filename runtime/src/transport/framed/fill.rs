use std::{future::poll_fn, task::Poll};

use bytes::BytesMut;

use crate::{Codec, Payload, Status, Streaming, wire};

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
    codec: Codec,
    limit: usize,
) -> Result<bool, Status> {
    poll_fn(|task| {
        loop {
            match messages.poll_message(task) {
                Poll::Ready(Some(Ok(message))) => {
                    if let Err(status) =
                        wire::put_message(buffer, limit, |buffer| message.encode(codec, buffer))
                    {
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
