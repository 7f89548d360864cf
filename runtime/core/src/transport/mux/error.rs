use std::{fmt, io, sync::Arc, time::Duration};

use crate::{Status, transport::framed::StreamError, truncated, wire::ConnectionCode};

/// Why a multiplexed connection could not be made, or is over.
#[derive(Clone, Debug, thiserror::Error)]
pub enum MuxError {
    /// What answers is something else: an HTTP server, for instance.
    #[error("the peer does not speak polywire's multiplexer: it began with the bytes {0:02x?}")]
    NotMux(Vec<u8>),
    /// The peer speaks another version.
    #[error("the peer speaks version {0} of polywire's multiplexer, this side speaks version 1")]
    Version(u8),
    /// The peer did not greet in time.
    #[error("the peer did not greet within {0:?}")]
    HandshakeTimeout(Duration),
    /// The peer closed the connection.
    #[error("{code}{}", behind_colon(.reason))]
    ClosedByPeer {
        /// Why.
        code: ConnectionCode,
        /// Its words, possibly none.
        reason: String,
    },
    /// This side closed the connection.
    #[error("this side closed the connection{}", behind_colon(.reason))]
    Closed {
        /// Why.
        code: ConnectionCode,
        /// What the peer was told, possibly nothing.
        reason: String,
    },
    /// The peer broke a rule of the multiplexer.
    #[error("the peer broke a rule of the multiplexer: {0}")]
    Violation(#[from] Violation),
    /// The peer says that this side broke a rule, or was silent.
    #[error("the peer gave the connection up ({code}){}", behind_colon(.reason))]
    GivenUp {
        /// What it holds against this side.
        code: MuxCode,
        /// Its words, possibly none.
        reason: String,
    },
    /// Nothing was heard of the peer for this long.
    #[error("nothing was heard of the peer for {0:?}")]
    Silent(Duration),
    /// The pipe ended without a word from the peer.
    #[error("the connection ended without a close")]
    Ended,
    /// The pipe broke.
    #[error("the connection broke: {0}")]
    Broken(Arc<io::Error>),
    /// The runtime that drove the connection has shut down.
    #[error("the connection is not driven any more: its runtime has shut down")]
    NotDriven,
}

/// Which kind of rule was broken: the multiplexer's own codes of CLOSE.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u16)]
pub enum MuxCode {
    /// Malformed, or out of place.
    Protocol = 0x100,
    /// More bytes than the window allows.
    FlowControl = 0x101,
    /// More of what must be answered than an honest peer sends.
    Flood = 0x102,
    /// Silence for too long.
    Timeout = 0x103,
}

/// A rule that the peer broke.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{rule}")]
pub struct Violation {
    /// Its kind.
    pub code: MuxCode,
    /// What happened, for people.
    pub rule: &'static str,
}

impl Violation {
    pub(super) fn protocol(rule: &'static str) -> Self {
        Self { code: MuxCode::Protocol, rule }
    }
}

impl MuxCode {
    /// The code with this number; where it is not assigned but the multiplexer's own, the broadest.
    pub(super) fn from_number(number: u64) -> Option<Self> {
        match number {
            0..=0xff => None,
            0x101 => Some(Self::FlowControl),
            0x102 => Some(Self::Flood),
            0x103 => Some(Self::Timeout),
            _ => Some(Self::Protocol),
        }
    }
}

impl fmt::Display for MuxCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Protocol => "protocol error",
            Self::FlowControl => "flow control error",
            Self::Flood => "flood",
            Self::Timeout => "timeout",
        })
    }
}

impl MuxError {
    /// What the peer is told in CLOSE; `None` where it would not hear it.
    pub(super) fn farewell(&self) -> Option<(u64, String)> {
        match self {
            Self::Closed { code, reason } => Some((code.number().into(), reason.clone())),
            Self::Violation(Violation { code, rule }) => Some((*code as u64, (*rule).to_owned())),
            Self::Silent(_) => Some((MuxCode::Timeout as u64, self.to_string())),
            _ => None,
        }
    }
}

impl From<io::Error> for MuxError {
    fn from(error: io::Error) -> Self {
        Self::Broken(Arc::new(error))
    }
}

/// What it means to the calls of the connection.
impl From<MuxError> for Status {
    fn from(error: MuxError) -> Self {
        let message = error.to_string();
        let never_began =
            matches!(error, MuxError::NotMux(_) | MuxError::Version(_) | MuxError::HandshakeTimeout(_));
        let status = match &error {
            MuxError::ClosedByPeer { code: ConnectionCode::Denied, .. } => Self::permission_denied(message),
            _ => Self::unavailable(message),
        };
        let status = match &error {
            MuxError::ClosedByPeer { code, .. } if code.is_not_processed() => status.not_processed(),
            _ if never_began => status.not_processed(),
            _ => status,
        };
        status.with_source(error)
    }
}

impl From<MuxError> for StreamError {
    fn from(error: MuxError) -> Self {
        Self::Lost(error.into())
    }
}

fn behind_colon(reason: &str) -> String {
    if reason.is_empty() { String::new() } else { format!(": {}", truncated::reason(&reason)) }
}
