//! What frames that arrive do to the state.

use bytes::BytesMut;
use tokio::time::Instant;

use super::{
    error::{MuxCode, MuxError, Violation},
    frame::Frame,
    state::{MuxState, added},
};
use crate::wire::{ConnectionCode, StreamCode};

/// How many refusals may wait to be written. An honest peer, which knows how many streams it may open, is
/// refused none.
const MAX_REFUSALS: usize = 1024;

impl MuxState {
    /// Takes the frames that have arrived whole off the front.
    ///
    /// # Errors
    /// When the peer closed the connection, or broke a rule.
    pub(super) fn receive(&mut self, buffer: &mut BytesMut) -> Result<(), MuxError> {
        self.liveness.heard = Instant::now();
        while let Some(frame) = Frame::take(buffer)? {
            match frame {
                Frame::Data { stream, payload, fin } => self.data(stream, payload, fin)?,
                Frame::Reset { stream, code } => self.reset(stream, code)?,
                Frame::Stop { stream, code } => self.stop(stream, code)?,
                Frame::Window { stream: 0, credit } => {
                    self.credit = added(self.credit, credit).ok_or(TOO_MUCH_CREDIT)?;
                    self.feed();
                }
                Frame::Window { stream, credit } => self.window(stream, credit)?,
                Frame::Ping(payload) => {
                    self.liveness.pong = Some(payload);
                    self.effects.work = true;
                }
                Frame::Pong(payload) => self.pong(payload),
                Frame::Close { code, reason } => return Err(closed(code, reason)),
                Frame::Skipped => {}
            }
        }
        Ok(())
    }

    /// The connection's window has grown; who waited for it goes first.
    fn feed(&mut self) {
        self.starved.append(&mut self.ready);
        std::mem::swap(&mut self.starved, &mut self.ready);
        self.effects.work = true;
    }

    fn data(&mut self, id: u64, payload: BytesMut, fin: bool) -> Result<(), Violation> {
        self.allowance = self.allowance.checked_sub(payload.len() as u64).ok_or(Violation {
            code: MuxCode::FlowControl,
            rule: "more bytes arrived than the connection's window allows",
        })?;
        if !self.is_ours(id) && id > self.highest {
            self.highest = id;
            self.admit(id)?;
        }
        let unwanted = match self.streams.get_mut(&id) {
            Some(stream) => stream.incoming.arrive(payload, fin, &mut self.effects)?,
            None => {
                self.check_known(id)?;
                payload.len()
            }
        };
        self.release(unwanted);
        self.settle(id);
        Ok(())
    }

    /// A stream that the peer opens: one to be accepted, or, beyond the limit, to be refused.
    fn admit(&mut self, id: u64) -> Result<(), Violation> {
        if self.peers_open < self.ours.max_streams {
            self.peers_open += 1;
            self.insert(id);
            self.arrived.push_back(id);
            self.effects.arrived += 1;
            return Ok(());
        }
        if self.refused.len() >= MAX_REFUSALS {
            return Err(Violation {
                code: MuxCode::Flood,
                rule: "streams were opened far beyond the limit, and the refusals are not read",
            });
        }
        self.refused.push_back(id);
        self.effects.work = true;
        Ok(())
    }

    /// A stream that is not open any more may still be spoken of: the peer did not know it yet.
    fn check_known(&self, id: u64) -> Result<(), Violation> {
        let known = if self.is_ours(id) { self.was_opened(id) } else { id <= self.highest };
        if known { Ok(()) } else { Err(Violation::protocol("a frame names a stream that was never opened")) }
    }

    fn reset(&mut self, id: u64, code: StreamCode) -> Result<(), Violation> {
        self.check_known(id)?;
        if let Some(stream) = self.streams.get_mut(&id) {
            let unread = stream.incoming.reset(code, &mut self.effects);
            self.release(unread);
            self.settle(id);
        }
        Ok(())
    }

    fn stop(&mut self, id: u64, code: StreamCode) -> Result<(), Violation> {
        self.check_known(id)?;
        if let Some(stream) = self.streams.get_mut(&id) {
            stream.outgoing.stop(code, &mut self.effects);
            self.settle(id);
        }
        Ok(())
    }

    fn window(&mut self, id: u64, credit: u64) -> Result<(), Violation> {
        self.check_known(id)?;
        if let Some(stream) = self.streams.get_mut(&id) {
            stream.outgoing.add_credit(credit, &mut self.effects).ok_or(TOO_MUCH_CREDIT)?;
            self.settle(id);
        }
        Ok(())
    }

    fn pong(&mut self, payload: [u8; 8]) {
        let liveness = &mut self.liveness;
        if let Some((_, at)) = liveness.asked.take_if(|(asked, _)| *asked == payload) {
            liveness.rtt = Some(at.elapsed());
        }
    }
}

const TOO_MUCH_CREDIT: Violation =
    Violation { code: MuxCode::FlowControl, rule: "a window was made larger than 2⁶² − 1 bytes" };

fn closed(code: u64, reason: String) -> MuxError {
    match MuxCode::from_number(code) {
        Some(code) => MuxError::GivenUp { code, reason },
        None => MuxError::ClosedByPeer { code: ConnectionCode::from_number(code), reason },
    }
}
