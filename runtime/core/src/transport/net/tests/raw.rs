use tokio::io::{AsyncRead, AsyncReadExt};

pub(super) const HEADERS: u8 = 1;
pub(super) const RST_STREAM: u8 = 3;
pub(super) const SETTINGS: u8 = 4;
pub(super) const GOAWAY: u8 = 7;

/// A frame of HTTP/2.
#[derive(Debug)]
pub(super) struct Frame {
    pub(super) kind: u8,
    pub(super) flags: u8,
    pub(super) stream: u32,
    pub(super) payload: Vec<u8>,
}

impl Frame {
    /// The next frame, or `None` when the connection was closed.
    pub(super) async fn read(io: &mut (impl AsyncRead + Unpin)) -> Option<Self> {
        let mut header = [0; 9];
        io.read_exact(&mut header).await.ok()?;
        let [high, middle, low, kind, flags, stream @ ..] = header;
        let mut payload = vec![0; u32::from_be_bytes([0, high, middle, low]) as usize];
        io.read_exact(&mut payload).await.ok()?;
        Some(Self { kind, flags, stream: u32::from_be_bytes(stream), payload })
    }

    pub(super) fn bytes(&self) -> Vec<u8> {
        let mut bytes = u32::try_from(self.payload.len()).unwrap().to_be_bytes()[1..].to_vec();
        bytes.extend([self.kind, self.flags]);
        bytes.extend(self.stream.to_be_bytes());
        bytes.extend(&self.payload);
        bytes
    }
}

/// Preface and empty SETTINGS.
pub(super) fn opening() -> Vec<u8> {
    let mut bytes = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
    bytes.extend(Frame { kind: SETTINGS, flags: 0, stream: 0, payload: Vec::new() }.bytes());
    bytes
}

/// `GET http://a/`, with its end.
pub(super) fn get(stream: u32) -> Vec<u8> {
    Frame { kind: HEADERS, flags: 0x5, stream, payload: vec![0x82, 0x86, 0x84, 0x41, 1, b'a'] }.bytes()
}

/// RST_STREAM with CANCEL.
pub(super) fn reset(stream: u32) -> Vec<u8> {
    Frame { kind: RST_STREAM, flags: 0, stream, payload: vec![0, 0, 0, 8] }.bytes()
}
