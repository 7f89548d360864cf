//! Whether a peer answers at all, and whether the way there carries what calls send.

use std::time::Duration;

use bytes::{BufMut as _, Bytes, BytesMut};

use super::Channel;
use crate::{Code, Codec, Context, Payload, Service as _, Status, TraceContext, context::Path, deadline};

/// How many bytes a probe carries beside its question: more than one packet does on the paths of today, which carry 1,500
/// ([RFC 2923, section 2.1](https://www.rfc-editor.org/rfc/rfc2923#section-2.1): paths that swallow the larger packets of
/// TCP, and not those of a handshake).
const BALLAST: usize = 2_000;

/// The field of the request that has the ballast. `HealthCheckRequest` has no other than 1, and what a server does not
/// know it skips ([Unknown Fields](https://protobuf.dev/programming-guides/proto3/#unknowns)).
const FIELD: u32 = 15;

/// Asks the peer how it is, by a call of the standard health check. Any answer will do, also that there is no such
/// service. The question is as large as a call may be: on a way that has lost one, it is behind that call where the
/// connection is the same, and takes as large packets where it is another.
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
    let asking = channel.unary(cx, Payload::encoded(Codec::Protobuf, question()));
    match deadline::bound(limit, asking).await {
        Err(status) if matches!(status.code(), Code::DeadlineExceeded) => {
            Err(status.with_message(format!("no answer within {patience:?}")))
        }
        Err(status) if status.code() == Code::Unavailable => Err(status),
        Err(_) | Ok(_) => Ok(()),
    }
}

/// A request for the whole node, which is asked for where the field for a service is not there, and the ballast. That is
/// random, lest it be compressed.
fn question() -> Bytes {
    const LENGTH_DELIMITED: u32 = 2;
    let mut question = BytesMut::with_capacity(BALLAST + 4);
    prost::encoding::encode_varint(u64::from(FIELD << 3 | LENGTH_DELIMITED), &mut question);
    prost::encoding::encode_varint(BALLAST as u64, &mut question);
    question.put_bytes(0, BALLAST);
    let begin = question.len() - BALLAST;
    fastrand::fill(&mut question[begin..]);
    question.freeze()
}

#[cfg(test)]
mod tests {
    use prost::Message as _;

    use super::*;

    /// As much of the standard's request as there is.
    #[derive(Clone, PartialEq, prost::Message)]
    struct HealthCheckRequest {
        #[prost(string, tag = "1")]
        service: String,
    }

    #[test]
    fn a_probe_is_read_as_a_question_for_the_whole_node_and_is_larger_than_a_packet() {
        let question = question();
        assert!(question.len() > 1_500);
        assert_eq!(HealthCheckRequest::decode(question).unwrap(), HealthCheckRequest::default());
    }
}
