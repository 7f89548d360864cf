//! What the calls of these tests run over. The multiplexer's tests have a module of this name and run the same
//! cases.

use super::super::pair;
pub(super) use pair::{MemoryConnection as End, MemoryRecv as EndRecv, MemorySend as EndSend, pair};

use crate::Status;

/// The connection is gone, for both ends.
pub(super) fn lose(end: &End, status: &Status) {
    end.lose(status);
}

/// Returns when the reader has taken everything that was written.
pub(super) async fn taken(send: &EndSend) {
    send.taken().await;
}
