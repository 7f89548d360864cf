use crate::Code;

/// What the end of a call says of the server that was called, or of the way to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It does its work.
    Works,
    /// It works, and the call was at fault: how soon that was found out says nothing of how fast it is.
    Refuses,
    /// It has too much to do.
    Overloaded,
    /// It does not do its work.
    Fails,
}

impl Verdict {
    /// What this code says:
    ///
    /// | code | verdict |
    /// |---|---|
    /// | `OK` | works |
    /// | `INVALID_ARGUMENT`, `NOT_FOUND`, `ALREADY_EXISTS`, `PERMISSION_DENIED`, `UNAUTHENTICATED`, `FAILED_PRECONDITION`, `ABORTED`, `OUT_OF_RANGE` | the call was at fault, or the state that it met |
    /// | `RESOURCE_EXHAUSTED` | overloaded |
    /// | `UNKNOWN`, `INTERNAL`, `DATA_LOSS`, `UNAVAILABLE`, `DEADLINE_EXCEEDED`, `UNIMPLEMENTED` | fails |
    /// | `CANCELLED`, which reaches a caller who waits only where something else gave the call up | fails |
    ///
    /// A method that fails wherever it is called says nothing of any server: that shows when servers are compared, see
    /// [`Score::is_outlier`](super::score::Score::is_outlier).
    pub(crate) fn of(code: Code) -> Self {
        match code {
            Code::Ok => Self::Works,
            Code::InvalidArgument
            | Code::NotFound
            | Code::AlreadyExists
            | Code::PermissionDenied
            | Code::Unauthenticated
            | Code::FailedPrecondition
            | Code::Aborted
            | Code::OutOfRange => Self::Refuses,
            Code::ResourceExhausted => Self::Overloaded,
            Code::Unknown
            | Code::Internal
            | Code::DataLoss
            | Code::Unavailable
            | Code::DeadlineExceeded
            | Code::Unimplemented
            | Code::Cancelled => Self::Fails,
        }
    }

    /// Whether it speaks against the server.
    pub(crate) fn is_bad(self) -> bool {
        matches!(self, Self::Overloaded | Self::Fails)
    }
}
