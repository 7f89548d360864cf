//! Which peer a failure is of.

use std::sync::Arc;

use crate::{Code, Status};

/// What failures of a connection call its peer: the target, where there is one.
#[derive(Clone, Debug, Default)]
pub(crate) struct Remote(Option<Arc<str>>);

impl Remote {
    /// The peer of this name; without one, failures are told as they are.
    pub(crate) fn new(name: Option<String>) -> Self {
        Self(name.map(Arc::from))
    }

    /// The failure of a call, which names the peer where the connection is what failed.
    pub(crate) fn lost(&self, status: Status) -> Status {
        if status.code() == Code::Unavailable { self.named(status) } else { status }
    }

    /// The failure of a dial, which names the peer.
    pub(crate) fn named(&self, status: Status) -> Status {
        match &self.0 {
            Some(name) if !status.message().contains(&**name) => {
                let message = format!("{name}: {}", status.message());
                status.with_message(message)
            }
            _ => status,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_peer_is_named_once_and_only_where_its_connection_failed() {
        let remote = Remote::new(Some("quic://a:1".to_owned()));
        let lost = remote.lost(Status::unavailable("gone"));
        assert_eq!(lost.message(), "quic://a:1: gone");
        assert_eq!(remote.lost(lost).message(), "quic://a:1: gone");
        assert_eq!(remote.lost(Status::internal("odd")).message(), "odd");
        assert_eq!(Remote::default().named(Status::unavailable("gone")).message(), "gone");
    }
}
