use crate::Status;

/// Why a call got no answer.
pub(super) enum Unsent {
    /// It waited for its turn when the connection ended.
    Waiting(Status),
    /// The connection certainly did not take it: a server refuses streams over its limit that came before the client
    /// knew of it, and one that drains refuses all.
    Refused(Status),
    /// No connection could be made, it broke, or the answer was a failure.
    Failed(Status),
}

impl Unsent {
    /// The status that the caller gets.
    pub(super) fn into_status(self) -> Status {
        match self {
            Self::Waiting(status) | Self::Refused(status) => status.not_processed(),
            Self::Failed(status) => status,
        }
    }
}

/// What has been tried of one call. One that was refused is made once more, and one that was never sent as often as
/// connections end before it is its turn, within reason. Source:
/// [gRFC A6, transparent retries](https://github.com/grpc/proposal/blob/master/A6-client-retries.md#transparent-retries).
#[derive(Default)]
pub(super) struct Attempts {
    waited: u8,
    refused: bool,
}

/// How often a call may find its connection ended.
const MOST_WAITED: u8 = 3;

impl Attempts {
    /// Whether another may follow one that failed so.
    pub(super) fn may_follow(&mut self, unsent: &Unsent) -> bool {
        match unsent {
            Unsent::Waiting(_) => {
                self.waited += 1;
                self.waited <= MOST_WAITED
            }
            Unsent::Refused(_) => !std::mem::replace(&mut self.refused, true),
            Unsent::Failed(_) => false,
        }
    }
}
