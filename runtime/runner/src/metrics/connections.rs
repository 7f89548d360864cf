use prometheus::IntGauge;

use polywire_core::transport::ConnectionGauge;

/// The gauge of a transport's open connections in one role. Clones share the gauge.
#[derive(Clone, Debug)]
pub struct Connections {
    open: IntGauge,
}

impl Connections {
    pub(super) fn new(open: IntGauge) -> Self {
        Self { open }
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
