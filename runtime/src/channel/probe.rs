//! Whether a peer answers at all.

use std::time::Duration;

use bytes::Bytes;

use super::Channel;
use crate::{Code, Codec, Context, Payload, Service as _, Status, TraceContext, context::Path, deadline};

/// Asks the peer how it is, by a call of the standard health check. Any answer will do, also that there is no such
/// service.
///
/// # Errors
/// Why the peer cannot be reached: `Unavailable`, or `DeadlineExceeded` where it said nothing for that long.
///
/// # Cancel safety
/// Dropping the future gives the call up.
pub(crate) async fn probe(channel: &Channel, patience: Duration) -> Result<(), Status> {
    // Traces of what is asked all the time would hide those of calls.
    let cx = Context::new().with_trace(TraceContext::unsampled());
    let mut cx = cx.with_codec(Codec::Protobuf).with_timeout(patience);
    cx.path = Path::Static("/grpc.health.v1.Health/Check");
    cx.idempotent = true;
    let limit = cx.deadline;
    // The whole node is asked for by the request that has no fields.
    let asking = channel.unary(cx, Payload::encoded(Codec::Protobuf, Bytes::new()));
    match deadline::bound(limit, asking).await {
        Err(status) if matches!(status.code(), Code::DeadlineExceeded) => {
            Err(status.with_message(format!("no answer within {patience:?}")))
        }
        Err(status) if status.code() == Code::Unavailable => Err(status),
        Err(_) | Ok(_) => Ok(()),
    }
}
