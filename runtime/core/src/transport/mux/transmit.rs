//! What the state has to write.

use bytes::Buf;
use tokio::time::Instant;

use super::{batch::Batch, frame, state::MuxState};
use crate::wire::StreamCode;

/// Past this many bytes a write takes what it has.
const ENOUGH: usize = 64 << 10;

impl MuxState {
    /// Gathers frames for one write: what keeps the connection going first, then bytes of the streams, each
    /// in its turn.
    pub(super) fn gather(&mut self, batch: &mut Batch) {
        self.gather_connection(batch);
        while batch.remaining() < ENOUGH && self.gather_refusal(batch) {}
        while batch.remaining() < ENOUGH && self.gather_news(batch) {}
        while batch.remaining() < ENOUGH && self.gather_bytes(batch) {}
        batch.seal();
    }

    fn gather_connection(&mut self, batch: &mut Batch) {
        if let Some(payload) = self.liveness.pong.take() {
            batch.put(|buffer| frame::put_pong(buffer, payload));
        }
        if let Some(payload) = self.liveness.ping.take() {
            batch.put(|buffer| frame::put_ping(buffer, payload));
        }
        if self.owes_credit() {
            let credit = std::mem::take(&mut self.consumed);
            self.allowance += credit;
            batch.put(|buffer| frame::put_window(buffer, 0, credit));
        }
    }

    fn gather_refusal(&mut self, batch: &mut Batch) -> bool {
        let Some(id) = self.refused.pop_front() else {
            return false;
        };
        batch.put(|buffer| {
            frame::put_stop(buffer, id, StreamCode::Refused);
            frame::put_reset(buffer, id, StreamCode::Refused);
        });
        true
    }

    /// What one stream has to tell of that is not bytes.
    fn gather_news(&mut self, batch: &mut Batch) -> bool {
        let Some(id) = self.talking.pop_front() else {
            return false;
        };
        if let Some(stream) = self.streams.get_mut(&id) {
            stream.is_talking = false;
            batch.put(|buffer| {
                if let Some(code) = stream.incoming.take_stop() {
                    frame::put_stop(buffer, id, code);
                }
                if let Some(credit) = stream.incoming.take_credit(self.ours.stream_window.into()) {
                    frame::put_window(buffer, id, credit);
                }
                if let Some(code) = stream.outgoing.take_reset() {
                    frame::put_reset(buffer, id, code);
                }
            });
            self.settle(id);
        }
        true
    }

    /// The next frame of the stream whose turn it is. While the connection's window is used up those with
    /// bytes step aside, but for one that the peer does not know yet: streams are announced in the order of
    /// their ids, so everything behind it waits too.
    fn gather_bytes(&mut self, batch: &mut Batch) -> bool {
        let Some(&id) = self.ready.front() else {
            return false;
        };
        let Some(stream) = self.streams.get_mut(&id) else {
            self.ready.pop_front();
            return true;
        };
        let outgoing = &mut stream.outgoing;
        // A stream of no bytes yet is announced by a frame of none.
        let is_due = outgoing.has_frame() || (!stream.is_announced && !outgoing.is_over());
        if is_due && outgoing.has_bytes() && self.credit == 0 {
            if stream.is_announced {
                self.starved.extend(self.ready.pop_front());
            }
            return stream.is_announced;
        }
        self.ready.pop_front();
        stream.is_ready = false;
        if is_due {
            stream.is_announced = true;
            let (length, fin) = outgoing.next_frame(self.credit);
            self.credit -= length as u64;
            batch.put(|buffer| frame::put_data(buffer, id, fin, length));
            outgoing.take_frame(length, fin, batch, &mut self.effects);
        }
        // It takes its next turn behind the others.
        self.settle(id);
        true
    }

    /// Asks the peer whether it is alive, where it is not being asked already.
    pub(super) fn ask(&mut self) {
        let liveness = &mut self.liveness;
        if liveness.asked.is_none() {
            let payload = liveness.pings.to_be_bytes();
            liveness.pings += 1;
            liveness.asked = Some((payload, Instant::now()));
            liveness.ping = Some(payload);
            self.effects.work = true;
        }
    }
}
