use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, PoisonError},
};

/// Whether each message of a request came compressed, in their order. tonic decompresses them and does not say.
#[derive(Clone, Debug, Default)]
pub(crate) struct Flags(Arc<Mutex<VecDeque<bool>>>);

impl Flags {
    /// Whether the next message that is handed to the handler came compressed.
    pub(crate) fn next(&self) -> bool {
        let mut flags = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        flags.pop_front().unwrap_or_default()
    }

    /// Looks at a body's bytes as they come, for the flags in front of its messages.
    pub(crate) fn reader(&self) -> Reader {
        Reader { flags: self.clone(), prefix: Vec::new(), left: 0 }
    }
}

/// Where in a body the next message begins. Each has a prefix, [a byte that is 1 where it is compressed and its
/// length in four](https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md).
pub(crate) struct Reader {
    flags: Flags,
    prefix: Vec<u8>,
    left: usize,
}

impl Reader {
    pub(crate) fn read(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let skipped = self.left.min(bytes.len());
            self.left -= skipped;
            bytes = &bytes[skipped..];
            if let Some((byte, rest)) = bytes.split_first() {
                self.prefix.push(*byte);
                bytes = rest;
            }
            if let [flag, a, b, c, d] = self.prefix[..] {
                let mut flags = self.flags.0.lock().unwrap_or_else(PoisonError::into_inner);
                flags.push_back(flag == 1);
                self.left = u32::from_be_bytes([a, b, c, d]) as usize;
                self.prefix.clear();
            }
        }
    }
}
