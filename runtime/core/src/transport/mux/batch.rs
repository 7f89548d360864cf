use std::{collections::VecDeque, io::IoSlice};

use bytes::{Buf, Bytes, BytesMut};

/// Chunks of at least this many bytes are written from where they lie; copying less is cheaper than one more
/// slice for the kernel to gather.
const GATHER_FROM: usize = 2 << 10;

/// Frames that go out in one write.
pub(super) struct Batch {
    gathers: bool,
    /// What is written, in order; behind it, `buffer`.
    segments: VecDeque<Bytes>,
    buffer: BytesMut,
    length: usize,
}

impl Batch {
    /// A batch for a writer that takes many slices at once, or, where `gathers` is false, one alone.
    pub(super) fn new(gathers: bool) -> Self {
        Self { gathers, segments: VecDeque::new(), buffer: BytesMut::new(), length: 0 }
    }

    /// Appends what `put` writes: headers and small frames.
    pub(super) fn put(&mut self, put: impl FnOnce(&mut BytesMut)) {
        let before = self.buffer.len();
        put(&mut self.buffer);
        self.length += self.buffer.len() - before;
    }

    /// Appends bytes of a stream.
    pub(super) fn put_chunk(&mut self, chunk: Bytes) {
        self.length += chunk.len();
        if self.gathers && chunk.len() >= GATHER_FROM {
            self.seal();
            self.segments.push_back(chunk);
        } else {
            self.buffer.extend_from_slice(&chunk);
        }
    }

    /// Ready to be written.
    pub(super) fn seal(&mut self) {
        if !self.buffer.is_empty() {
            self.segments.push_back(self.buffer.split().freeze());
        }
    }
}

/// What has been [sealed](Batch::seal).
impl Buf for Batch {
    fn remaining(&self) -> usize {
        self.length
    }

    fn chunk(&self) -> &[u8] {
        self.segments.front().map_or(&[], |segment| segment)
    }

    fn chunks_vectored<'a>(&'a self, slices: &mut [IoSlice<'a>]) -> usize {
        let filled = slices.iter_mut().zip(&self.segments);
        filled.map(|(slice, segment)| *slice = IoSlice::new(segment)).count()
    }

    fn advance(&mut self, mut count: usize) {
        self.length -= count;
        while let Some(segment) = self.segments.front_mut().filter(|_| count > 0) {
            let taken = count.min(segment.len());
            segment.advance(taken);
            count -= taken;
            if segment.is_empty() {
                self.segments.pop_front();
            }
        }
    }
}
