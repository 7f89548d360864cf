use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use crate::observer::ConnectionGauge;

impl ConnectionGauge for AtomicUsize {
    fn opened(&self) {
        self.fetch_add(1, Ordering::Relaxed);
    }

    fn closed(&self) {
        self.fetch_sub(1, Ordering::Relaxed);
    }
}

/// One connection, counted for as long as this lives; a panic or an abort ends it too.
pub(crate) struct Counted(Option<Arc<dyn ConnectionGauge>>);

impl Counted {
    pub(crate) fn new(gauge: Option<Arc<dyn ConnectionGauge>>) -> Self {
        if let Some(gauge) = &gauge {
            gauge.opened();
        }
        Self(gauge)
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        if let Some(gauge) = &self.0 {
            gauge.closed();
        }
    }
}
