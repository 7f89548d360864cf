use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};

use bytes::Bytes;
use tokio::sync::oneshot;

use super::{
    state::ChannelState,
    stats::{MethodStats, Ruling},
    subchannel::Connectivity,
};
use crate::{Code, Codec, Context, Payload, Response, Status, deadline, payload::ReplayPayload};

/// The comparison of a call's answer with that of the same call over another transport. The caller gets the first, and
/// waits for nothing.
pub(super) struct Mirror(oneshot::Sender<Seen>);

/// An answer as it is compared: its bytes, or the code of its status. `None` where neither can be seen.
type Seen = Option<Result<Bytes, Code>>;

/// How many are made at once, over all channels: more are left out.
const AT_ONCE: u32 = 64;

static UNDER_WAY: AtomicU32 = AtomicU32::new(0);

/// Counts one that is under way.
struct Place;

impl Place {
    fn take() -> Option<Self> {
        let more = |count: u32| (count < AT_ONCE).then_some(count + 1);
        UNDER_WAY.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more).ok().map(|_| Self)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        UNDER_WAY.fetch_sub(1, Ordering::Relaxed);
    }
}

impl ChannelState {
    /// Makes the call over another transport too, where its policy says so of it. Both are encoded in protobuf then, so
    /// that their answers can be compared.
    pub(super) fn shadow(
        self: &Arc<Self>,
        method: &Arc<MethodStats>,
        ruling: &Ruling,
        place: usize,
        cx: &mut Context,
        kept: &ReplayPayload,
    ) -> Option<Mirror> {
        if ruling.policy.shadow <= 0.0 || !cx.idempotent || !method.shadow.takes(ruling.policy.shadow) {
            return None;
        }
        let up =
            |other: usize| other != place && self.subchannels[other].connectivity() == Connectivity::Ready;
        let other = ruling.order.iter().find(|other| up(*other))?;
        let (message, turn) = (kept.again()?, Place::take()?);
        let codec = *cx.codec.get_or_insert(Codec::Protobuf);
        let mut copy = cx.again();
        // The caller's own trace has one call in it.
        copy.trace = Some(Box::new(crate::TraceContext::unsampled()));
        let (sender, original) = oneshot::channel();
        let (shared, path) = (self.clone(), cx.path().to_owned());
        tokio::spawn(async move {
            let _turn = turn;
            let limit = copy.deadline;
            let answer =
                deadline::bound(limit, shared.subchannels[other].channel().call(copy, message)).await;
            let Ok(Some(original)) = original.await else { return };
            let outcome = match see(codec, &answer) {
                Some(copied) if copied == original => "same",
                Some(copied) => {
                    let (one, two) =
                        (shared.subchannels[place].transport, shared.subchannels[other].transport);
                    tell(&path, (one, &original), (two, &copied));
                    if copied.is_err() { "failed" } else { "different" }
                }
                None => return,
            };
            shared.observer.shadowed(&path, outcome);
        });
        Some(Mirror(sender))
    }
}

impl Mirror {
    /// The caller's answer has come.
    pub(super) fn compare(self, outcome: &Result<Response<Payload>, Status>) {
        // The receiver is gone if the other call was cancelled.
        let _ = self.0.send(see(Codec::Protobuf, outcome));
    }
}

fn see(codec: Codec, outcome: &Result<Response<Payload>, Status>) -> Seen {
    match outcome {
        Ok(response) => response.message.as_encoded(codec).cloned().map(Ok),
        Err(status) => Some(Err(status.code())),
    }
}

/// An example for the log: where the answers part, and nothing of what they say.
fn tell(
    path: &str,
    (one, original): (&str, &Result<Bytes, Code>),
    (two, copied): (&str, &Result<Bytes, Code>),
) {
    let parting = match (original, copied) {
        (Ok(original), Ok(copied)) => original.iter().zip(copied).position(|(one, two)| one != two),
        _ => None,
    };
    let show = |seen: &Result<Bytes, Code>| match seen {
        Ok(bytes) => format!("{} bytes", bytes.len()),
        Err(code) => code.to_string(),
    };
    tracing::warn!(
        method = path,
        %one, original = show(original), %two, copied = show(copied), first_difference_at = parting,
        "the same call was answered differently over another transport"
    );
}
