//! What the calls of these tests run over.

use std::{io, time::Duration};

pub(super) use crate::transport::mux::{MuxConnection as End, MuxRecv as EndRecv, MuxSend as EndSend};

use super::super::peers;
use crate::{
    Status,
    transport::mux::{MuxConfig, MuxError},
};

pub(super) fn pair() -> (End, End) {
    peers::pair(MuxConfig::default(), MuxConfig::default())
}

/// The connection is gone, for both ends.
pub(super) fn lose(end: &End, status: &Status) {
    let error = io::Error::new(io::ErrorKind::ConnectionReset, status.message().to_owned());
    end.shared().end(MuxError::from(error));
}

/// Returns when the reader has taken everything that was written: a paused clock moves once nobody has
/// anything to do.
pub(super) async fn taken(_: &EndSend) {
    tokio::time::sleep(Duration::from_millis(1)).await;
}
