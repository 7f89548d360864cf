use std::{
    collections::VecDeque,
    task::{Context, Waker},
};

use bytes::{Buf, Bytes};

use super::{batch::Batch, frame::MAX_PAYLOAD, state::Effects};
use crate::{Status, transport::framed::StreamError, wire::StreamCode};

/// How many bytes of one stream wait here to be written before their writer does.
pub(super) const SEND_BUFFER: usize = 64 << 10;

/// The direction of a stream that this side writes.
pub(super) struct Outgoing {
    chunks: VecDeque<Bytes>,
    queued: usize,
    /// How many bytes the peer takes.
    credit: u64,
    state: Sending,
    stopped: Option<StreamCode>,
    writer: Option<Waker>,
    stop_watchers: Vec<Waker>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Sending {
    Open,
    /// It ends behind what is queued.
    Finishing,
    /// It is given up; the peer has yet to be told.
    Resetting(StreamCode),
    /// The peer knows that it is over, or will when it reads what is on its way.
    Over,
}

impl Outgoing {
    pub(super) fn new(credit: u64) -> Self {
        Self {
            chunks: VecDeque::new(),
            queued: 0,
            credit,
            state: Sending::Open,
            stopped: None,
            writer: None,
            stop_watchers: Vec::new(),
        }
    }

    pub(super) fn is_over(&self) -> bool {
        self.state == Sending::Over
    }

    pub(super) fn is_stopped(&self) -> bool {
        self.stopped.is_some()
    }

    /// How many bytes may be queued at once.
    fn room(&self) -> usize {
        let credit = usize::try_from(self.credit).unwrap_or(usize::MAX);
        credit.min(SEND_BUFFER).saturating_sub(self.queued)
    }

    /// Whether there is a frame to be written, as far as the stream's own window goes.
    pub(super) fn has_frame(&self) -> bool {
        match self.state {
            Sending::Open => self.queued > 0 && self.credit > 0,
            Sending::Finishing => self.queued == 0 || self.credit > 0,
            Sending::Resetting(_) | Sending::Over => false,
        }
    }

    /// Whether the next frame has bytes, which the connection's window must let through.
    pub(super) fn has_bytes(&self) -> bool {
        self.queued > 0
    }

    /// The length of the next frame, and whether the direction ends with it.
    pub(super) fn next_frame(&self, connection_credit: u64) -> (usize, bool) {
        let credit = usize::try_from(self.credit.min(connection_credit)).unwrap_or(usize::MAX);
        let length = self.queued.min(credit).min(MAX_PAYLOAD);
        (length, self.state == Sending::Finishing && length == self.queued)
    }

    /// Moves what [`next_frame`](Self::next_frame) told of into the batch.
    pub(super) fn take_frame(&mut self, length: usize, fin: bool, batch: &mut Batch, effects: &mut Effects) {
        self.queued -= length;
        self.credit -= length as u64;
        let mut left = length;
        while let Some(chunk) = self.chunks.front_mut().filter(|_| left > 0) {
            if chunk.len() <= left {
                left -= chunk.len();
                batch.put_chunk(std::mem::take(chunk));
                self.chunks.pop_front();
            } else {
                batch.put_chunk(chunk.split_to(left));
                left = 0;
            }
        }
        if fin {
            self.state = Sending::Over;
        }
        if self.room() > 0 {
            effects.wake(&mut self.writer);
        }
    }

    /// Takes what there is room for off the front.
    pub(super) fn write(&mut self, bytes: &mut Bytes) -> Result<(), StreamError> {
        if let Some(code) = self.stopped {
            return Err(StreamError::Stopped(code));
        }
        if self.state != Sending::Open {
            return Err(StreamError::Lost(Status::internal("the stream was written past its end")));
        }
        let taken = bytes.split_to(self.room().min(bytes.len()));
        self.queue(taken);
        Ok(())
    }

    /// Takes bytes whatever the window; they wait here for the peer.
    pub(super) fn queue(&mut self, bytes: Bytes) {
        if bytes.has_remaining() {
            self.queued += bytes.len();
            self.chunks.push_back(bytes);
        }
    }

    pub(super) fn wait_for_room(&mut self, task: &Context<'_>) {
        self.writer = Some(task.waker().clone());
    }

    pub(super) fn wait_for_stop(&mut self, task: &Context<'_>) {
        if !self.stop_watchers.iter().any(|waker| waker.will_wake(task.waker())) {
            self.stop_watchers.push(task.waker().clone());
        }
    }

    /// Ends the direction behind what is queued. One that the peer has stopped is reset instead: what was
    /// queued is gone.
    pub(super) fn finish(&mut self) {
        if self.state == Sending::Open {
            self.state = self.stopped.map_or(Sending::Finishing, Sending::Resetting);
        }
    }

    /// Gives the direction up, and what the peer has not been sent of it.
    pub(super) fn reset(&mut self, code: StreamCode) {
        if matches!(self.state, Sending::Open | Sending::Finishing) {
            self.state = Sending::Resetting(code);
            self.discard();
        }
    }

    /// The peer wants no more. The direction is over once its writer has let go of it: so long the stream
    /// counts among the open ones.
    pub(super) fn stop(&mut self, code: StreamCode, effects: &mut Effects) {
        if self.is_over() {
            return;
        }
        self.stopped.get_or_insert(code);
        self.discard();
        if self.state == Sending::Finishing {
            self.state = Sending::Resetting(code);
        }
        self.wake_all(effects);
    }

    /// The code of the reset that has to be written; from then on the direction is over.
    pub(super) fn take_reset(&mut self) -> Option<StreamCode> {
        let Sending::Resetting(code) = self.state else {
            return None;
        };
        self.state = Sending::Over;
        Some(code)
    }

    pub(super) fn is_resetting(&self) -> bool {
        matches!(self.state, Sending::Resetting(_))
    }

    /// The peer takes so many bytes more; `None` where that is more than can be counted.
    pub(super) fn add_credit(&mut self, credit: u64, effects: &mut Effects) -> Option<()> {
        self.credit = super::state::added(self.credit, credit)?;
        if self.room() > 0 {
            effects.wake(&mut self.writer);
        }
        Some(())
    }

    pub(super) fn wake_all(&mut self, effects: &mut Effects) {
        effects.wake(&mut self.writer);
        effects.wakers.append(&mut self.stop_watchers);
    }

    fn discard(&mut self) {
        self.chunks.clear();
        self.queued = 0;
    }
}
