use std::{
    collections::VecDeque,
    task::{Context, Waker},
};

use bytes::{Bytes, BytesMut};

use super::{
    error::{MuxCode, Violation},
    state::Effects,
};
use crate::{transport::framed::StreamError, wire::StreamCode};

/// Payloads of at least this many bytes are kept where they were read to, an eighth of a whole read. Smaller
/// ones are copied out and lie together: so what waits to be read never keeps much more memory than its
/// window.
const KEEP_FROM: usize = super::driver::READ / 8;

/// The direction of a stream that this side reads.
pub(super) struct Incoming {
    chunks: VecDeque<Bytes>,
    /// Small payloads, behind the chunks.
    tail: BytesMut,
    unread: usize,
    /// How many bytes the peer may still send.
    allowance: u64,
    /// How many bytes have been read since the peer was last given credit.
    consumed: u64,
    end: Option<End>,
    stop: Stop,
    reader: Option<Waker>,
}

#[derive(Clone, Copy)]
enum End {
    Finished,
    Reset(StreamCode),
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stop {
    Wanted,
    /// The peer has yet to be told.
    Due(StreamCode),
    Told,
}

impl Incoming {
    pub(super) fn new(window: u64) -> Self {
        Self {
            chunks: VecDeque::new(),
            tail: BytesMut::new(),
            unread: 0,
            allowance: window,
            consumed: 0,
            end: None,
            stop: Stop::Wanted,
            reader: None,
        }
    }

    /// Whether the peer has ended the direction.
    pub(super) fn is_over(&self) -> bool {
        self.end.is_some()
    }

    /// Takes received bytes; returns the number of discarded ones.
    pub(super) fn arrive(
        &mut self,
        payload: BytesMut,
        fin: bool,
        effects: &mut Effects,
    ) -> Result<usize, Violation> {
        let length = payload.len();
        if self.is_over() {
            return Err(Violation::protocol("bytes follow the end of their stream"));
        }
        self.allowance = self.allowance.checked_sub(length as u64).ok_or(Violation {
            code: MuxCode::FlowControl,
            rule: "more bytes arrived than the stream's window allows",
        })?;
        if fin {
            self.end = Some(End::Finished);
        }
        effects.wake(&mut self.reader);
        if self.stop != Stop::Wanted {
            return Ok(length);
        }
        self.unread += length;
        if length >= KEEP_FROM {
            self.seal();
            self.chunks.push_back(payload.freeze());
        } else {
            self.tail.extend_from_slice(&payload);
        }
        Ok(0)
    }

    /// The peer gives the direction up; returns how many bytes are thrown away with it.
    pub(super) fn reset(&mut self, code: StreamCode, effects: &mut Effects) -> usize {
        if self.is_over() {
            return 0;
        }
        self.end = Some(End::Reset(code));
        effects.wake(&mut self.reader);
        self.discard()
    }

    /// The next bytes, or the end; `None` where neither is there.
    pub(super) fn read(&mut self) -> Option<Result<Option<Bytes>, StreamError>> {
        if let Some(chunk) = self.next_chunk() {
            self.unread -= chunk.len();
            self.consumed += chunk.len() as u64;
            return Some(Ok(Some(chunk)));
        }
        match self.end? {
            End::Finished => Some(Ok(None)),
            End::Reset(code) => Some(Err(StreamError::Reset(code))),
        }
    }

    fn next_chunk(&mut self) -> Option<Bytes> {
        if self.chunks.is_empty() {
            self.seal();
        }
        self.chunks.pop_front()
    }

    fn seal(&mut self) {
        if !self.tail.is_empty() {
            self.chunks.push_back(std::mem::take(&mut self.tail).freeze());
        }
    }

    pub(super) fn wait(&mut self, task: &Context<'_>) {
        self.reader = Some(task.waker().clone());
    }

    /// This side wants no more; returns how many bytes are thrown away.
    pub(super) fn stop(&mut self, code: StreamCode) -> usize {
        if self.is_over() || self.stop != Stop::Wanted {
            return 0;
        }
        self.stop = Stop::Due(code);
        self.discard()
    }

    /// The code of the stop that has to be written.
    pub(super) fn take_stop(&mut self) -> Option<StreamCode> {
        let Stop::Due(code) = self.stop else {
            return None;
        };
        self.stop = Stop::Told;
        (!self.is_over()).then_some(code)
    }

    /// Whether the peer should be told of a stop, or be given credit.
    pub(super) fn has_news(&self, window: u64) -> bool {
        !self.is_over() && (matches!(self.stop, Stop::Due(_)) || self.owes_credit(window))
    }

    /// The credit that the peer should be given.
    pub(super) fn take_credit(&mut self, window: u64) -> Option<u64> {
        if self.is_over() || !self.owes_credit(window) {
            return None;
        }
        let credit = std::mem::take(&mut self.consumed);
        self.allowance += credit;
        Some(credit)
    }

    fn owes_credit(&self, window: u64) -> bool {
        self.stop == Stop::Wanted && self.consumed >= window / 2
    }

    pub(super) fn wake(&mut self, effects: &mut Effects) {
        effects.wake(&mut self.reader);
    }

    /// Throws away what was not read; returns how many bytes that were.
    pub(super) fn discard(&mut self) -> usize {
        self.chunks.clear();
        self.tail = BytesMut::new();
        std::mem::take(&mut self.unread)
    }
}
