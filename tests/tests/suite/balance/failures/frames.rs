//! What a server says of its connections and streams in HTTP/2, as a proxy between sees it.

/// Frames as they pass, whose bytes come in pieces.
#[derive(Default)]
pub(super) struct Frames(Vec<u8>);

/// What is looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Seen {
    /// RST_STREAM with REFUSED_STREAM.
    Refused,
    /// GOAWAY.
    GoAway,
}

/// RFC 9113, sections 4.1, 6.4, 6.8 and 7.
const HEAD: usize = 9;
const RST_STREAM: u8 = 0x3;
const GOAWAY: u8 = 0x7;
const REFUSED_STREAM: [u8; 4] = 7_u32.to_be_bytes();

impl Frames {
    /// Takes a piece, and tells what its frames say.
    pub(super) fn pass(&mut self, piece: &[u8], mut seen: impl FnMut(Seen)) {
        self.0.extend_from_slice(piece);
        while let Some(frame) = self.whole() {
            match self.0[3] {
                GOAWAY => seen(Seen::GoAway),
                RST_STREAM if self.0[HEAD..frame] == REFUSED_STREAM => seen(Seen::Refused),
                _ => {}
            }
            self.0.drain(..frame);
        }
    }

    /// How long the first frame is, once all of it is there.
    fn whole(&self) -> Option<usize> {
        let [a, b, c] = self.0.first_chunk::<3>()?;
        let length = HEAD + u32::from_be_bytes([0, *a, *b, *c]) as usize;
        (self.0.len() >= length).then_some(length)
    }
}
