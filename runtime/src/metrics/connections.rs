use prometheus::IntGauge;

use crate::transport::ConnectionGauge;

/// The gauge of a transport's open connections in one role. A clone is the same gauge.
#[derive(Clone, Debug)]
pub struct Connections {
    open: IntGauge,
}

impl Connections {
    pub(super) fn new(open: IntGauge) -> Self {
        Self { open }
    }

    /// Counts a connection for as long as the result lives.
    pub fn open(&self) -> OpenConnection {
        self.opened();
        OpenConnection { connections: self.clone() }
    }
}

impl ConnectionGauge for Connections {
    fn opened(&self) {
        self.open.inc();
    }

    fn closed(&self) {
        self.open.dec();
    }
}

/// A connection that is counted as open until this is dropped.
#[derive(Debug)]
#[must_use = "dropping it counts the connection as closed"]
pub struct OpenConnection {
    connections: Connections,
}

impl Drop for OpenConnection {
    fn drop(&mut self) {
        self.connections.closed();
    }
}
