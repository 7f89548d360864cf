use std::{
    collections::{HashMap, VecDeque},
    task::Waker,
    time::Duration,
};

use bytes::Bytes;
use tokio::time::Instant;

use super::{error::MuxError, frame::MAX_NUMBER, incoming::Incoming, outgoing::Outgoing, preface::Settings};
use crate::wire::StreamCode;

/// All that a connection knows. Nothing here waits: what has to be done beside it is left in `effects`.
pub(super) struct MuxState {
    pub(super) ours: Settings,
    theirs: Settings,
    pub(super) streams: HashMap<u64, Stream>,
    /// The id of the stream that this side opens next. The peer's have the other parity.
    next: u64,
    /// The highest id that the peer has used.
    pub(super) highest: u64,
    /// How many streams of the peer's are open.
    pub(super) peers_open: u32,
    /// Streams to accept.
    pub(super) arrived: VecDeque<u64>,
    /// Streams with bytes to write, in turn.
    pub(super) ready: VecDeque<u64>,
    /// Those whose bytes wait for the connection's window, in turn.
    pub(super) starved: VecDeque<u64>,
    /// Streams with something to tell of that is not bytes.
    pub(super) talking: VecDeque<u64>,
    /// Streams that were refused, which the peer has yet to be told.
    pub(super) refused: VecDeque<u64>,
    /// How many bytes the peer takes on all streams.
    pub(super) credit: u64,
    /// How many bytes the peer may still send on all streams.
    pub(super) allowance: u64,
    /// How many bytes have been read or thrown away since the peer was last given credit.
    pub(super) consumed: u64,
    pub(super) liveness: Liveness,
    pub(super) over: Option<MuxError>,
    pub(super) effects: Effects,
}

/// One stream.
pub(super) struct Stream {
    pub(super) outgoing: Outgoing,
    pub(super) incoming: Incoming,
    /// How many of its two halves are held, or wait to be accepted.
    pub(super) halves: u8,
    /// Whether the peer knows of it.
    pub(super) is_announced: bool,
    pub(super) is_ready: bool,
    pub(super) is_talking: bool,
    /// Whether it counts among the open ones.
    is_counted: bool,
}

/// When the peer was last heard, and the pings under way.
pub(super) struct Liveness {
    pub(super) heard: Instant,
    /// A ping that has to be written.
    pub(super) ping: Option<[u8; 8]>,
    /// The answer to the peer's latest ping, to be written.
    pub(super) pong: Option<[u8; 8]>,
    /// The ping that was not answered yet, and when it was sent.
    pub(super) asked: Option<([u8; 8], Instant)>,
    pub(super) pings: u64,
    pub(super) rtt: Option<Duration>,
}

/// What a change of the state entails, done once its lock is free.
#[derive(Default)]
pub(super) struct Effects {
    pub(super) wakers: Vec<Waker>,
    /// How many streams more may be opened.
    pub(super) slots: usize,
    /// How many streams wait to be accepted that did not before.
    pub(super) arrived: usize,
    /// Whether there is something to write.
    pub(super) work: bool,
}

impl Effects {
    pub(super) fn wake(&mut self, waker: &mut Option<Waker>) {
        self.wakers.extend(waker.take());
    }
}

/// A sum of credits; `None` beyond what a frame can say.
pub(super) fn added(credit: u64, more: u64) -> Option<u64> {
    credit.checked_add(more).filter(|sum| *sum <= MAX_NUMBER)
}

impl MuxState {
    pub(super) fn new(is_client: bool, ours: Settings, theirs: Settings) -> Self {
        Self {
            ours,
            theirs,
            streams: HashMap::new(),
            next: if is_client { 1 } else { 2 },
            highest: 0,
            peers_open: 0,
            arrived: VecDeque::new(),
            ready: VecDeque::new(),
            starved: VecDeque::new(),
            talking: VecDeque::new(),
            refused: VecDeque::new(),
            credit: theirs.connection_window.into(),
            allowance: ours.connection_window.into(),
            consumed: 0,
            liveness: Liveness {
                heard: Instant::now(),
                ping: None,
                pong: None,
                asked: None,
                pings: 0,
                rtt: None,
            },
            over: None,
            effects: Effects::default(),
        }
    }

    /// Whether streams with this id are this side's to open.
    pub(super) fn is_ours(&self, id: u64) -> bool {
        id % 2 == self.next % 2
    }

    /// Whether a stream of this side has had this id.
    pub(super) fn was_opened(&self, id: u64) -> bool {
        id < self.next
    }

    /// Opens a stream. Its first bytes are taken whole, so that nothing can be cancelled half way.
    pub(super) fn open(&mut self, first: Bytes, finish: bool) -> Result<u64, MuxError> {
        if let Some(error) = &self.over {
            return Err(error.clone());
        }
        let id = self.next;
        self.next += 2;
        let stream = self.insert(id);
        stream.outgoing.queue(first);
        if finish {
            stream.outgoing.finish();
        }
        stream.is_ready = true;
        self.ready.push_back(id);
        self.effects.work = true;
        Ok(id)
    }

    pub(super) fn insert(&mut self, id: u64) -> &mut Stream {
        let is_announced = !self.is_ours(id);
        self.streams.entry(id).or_insert(Stream {
            outgoing: Outgoing::new(self.theirs.stream_window.into()),
            incoming: Incoming::new(self.ours.stream_window.into()),
            halves: 2,
            is_announced,
            is_ready: false,
            is_talking: false,
            is_counted: true,
        })
    }

    /// Changes a stream that this side holds, and does what follows from the change.
    pub(super) fn change<T>(&mut self, id: u64, change: impl FnOnce(&mut Stream) -> T) -> Option<T> {
        let changed = change(self.streams.get_mut(&id)?);
        self.settle(id);
        Some(changed)
    }

    /// Queues a stream that has something to write, and forgets one that is over.
    pub(super) fn settle(&mut self, id: u64) {
        let Some(stream) = self.streams.get_mut(&id) else {
            return;
        };
        if !stream.is_announced
            && let Some(code) = stream.outgoing.take_reset()
        {
            // The peer has never heard of it, and never will.
            stream.incoming.reset(code, &mut self.effects);
        }
        let has_frame = stream.outgoing.has_frame() && !stream.is_ready;
        if has_frame {
            stream.is_ready = true;
            self.ready.push_back(id);
        }
        let has_news =
            stream.outgoing.is_resetting() || stream.incoming.has_news(self.ours.stream_window.into());
        let has_news = has_news && stream.is_announced && !stream.is_talking;
        if has_news {
            stream.is_talking = true;
            self.talking.push_back(id);
        }
        self.effects.work |= has_frame || has_news;
        let is_over = stream.outgoing.is_over() && stream.incoming.is_over();
        let is_free = is_over && std::mem::take(&mut stream.is_counted);
        if stream.halves == 0 && (is_over || self.over.is_some()) {
            self.streams.remove(&id);
        }
        if is_free && self.is_ours(id) {
            self.effects.slots += 1;
        } else if is_free {
            self.peers_open -= 1;
        }
    }

    /// The half that writes a stream is dropped.
    pub(super) fn drop_send(&mut self, id: u64) {
        self.change(id, |stream| {
            stream.outgoing.finish();
            stream.halves -= 1;
        });
    }

    /// The half that reads a stream is dropped.
    pub(super) fn drop_recv(&mut self, id: u64) {
        let unread = self.change(id, |stream| {
            stream.halves -= 1;
            stream.incoming.stop(StreamCode::NoError) + stream.incoming.discard()
        });
        self.release(unread.unwrap_or(0));
    }

    /// So many bytes take no more room here.
    pub(super) fn release(&mut self, bytes: usize) {
        self.consumed += bytes as u64;
        self.effects.work |= self.owes_credit();
    }

    pub(super) fn owes_credit(&self) -> bool {
        self.consumed >= u64::from(self.ours.connection_window) / 2
    }

    /// The connection is over: nothing more arrives. What is queued may still be written.
    pub(super) fn end(&mut self, error: MuxError) {
        if self.over.is_some() {
            return;
        }
        self.over = Some(error);
        for stream in self.streams.values_mut() {
            stream.outgoing.wake_all(&mut self.effects);
            stream.incoming.wake(&mut self.effects);
        }
    }
}
