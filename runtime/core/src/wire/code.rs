use std::fmt;

/// Why one direction of a stream was given up: the application error code of a reset or of a
/// `STOP_SENDING`. Codes that are not assigned read as [`StreamCode::Cancelled`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum StreamCode {
    /// The rest is not needed; what was said before stands. QUIC libraries send 0 when a stream is
    /// merely dropped.
    NoError = 0x00,
    /// The caller gave the call up, or the responder broke off.
    Cancelled = 0x01,
    /// Refused before any handler saw it: a limit is reached.
    Refused = 0x02,
    /// Refused before any handler saw it: this side is shutting down.
    ShuttingDown = 0x03,
    /// What arrived was not understood.
    ProtocolError = 0x04,
}

impl StreamCode {
    /// The code with this number.
    pub fn from_number(number: u64) -> Self {
        match number {
            0x00 => Self::NoError,
            0x02 => Self::Refused,
            0x03 => Self::ShuttingDown,
            0x04 => Self::ProtocolError,
            _ => Self::Cancelled,
        }
    }

    /// The number that travels.
    pub fn number(self) -> u8 {
        self as u8
    }

    /// Whether it proves that no handler saw the call.
    pub fn is_not_processed(self) -> bool {
        matches!(self, Self::Refused | Self::ShuttingDown)
    }
}

/// Why a connection was closed: the application error code of `CONNECTION_CLOSE`. Codes that are not
/// assigned read as [`ConnectionCode::Closed`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum ConnectionCode {
    /// It is no longer needed.
    Closed = 0x00,
    /// The responder has shut down. Calls that had no answer by then may have been processed.
    ShutDown = 0x10,
    /// The caller may not speak to this responder. Nothing was processed.
    Denied = 0x11,
    /// The answer to a connection that asked which ALPNs are spoken; the reason phrase lists them,
    /// separated by spaces. Nothing was processed.
    Alpns = 0x12,
    /// Older connections of the same caller were in the way of this one and have been closed: the caller has to make it once
    /// more. Nothing was processed.
    Again = 0x13,
}

impl ConnectionCode {
    /// The code with this number.
    pub fn from_number(number: u64) -> Self {
        match number {
            0x10 => Self::ShutDown,
            0x11 => Self::Denied,
            0x12 => Self::Alpns,
            0x13 => Self::Again,
            _ => Self::Closed,
        }
    }

    /// The number that travels.
    pub fn number(self) -> u8 {
        self as u8
    }

    /// Whether it proves that no handler saw any call of the connection.
    pub fn is_not_processed(self) -> bool {
        matches!(self, Self::Denied | Self::Alpns | Self::Again)
    }
}

impl fmt::Display for ConnectionCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Closed => "the peer closed the connection",
            Self::ShutDown => "the peer has shut down",
            Self::Denied => "the peer denies this caller",
            Self::Alpns => "the connection only asked for protocol names",
            Self::Again => "the connection must be made once more",
        })
    }
}
