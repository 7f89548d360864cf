//! The export of traces: `[telemetry]`.

#[cfg(feature = "otlp")]
mod otlp;
#[cfg(feature = "otlp")]
mod outage;

use tracing_subscriber::{Layer, Registry};

use super::failure::Failure;
use crate::config::Config;

/// The layer that receives spans.
type BoxLayer = Box<dyn Layer<Registry> + Send + Sync>;

/// Sends the spans of this process to a collector.
pub(super) struct Traces {
    #[cfg(feature = "otlp")]
    exporter: otlp::Exporter,
}

#[cfg(feature = "otlp")]
impl Traces {
    /// Starts the exporter if the configuration names a collector. It does not check whether the collector is reachable.
    pub(super) fn start(config: &Config) -> Result<Option<Self>, Failure> {
        let Some(endpoint) = &config.telemetry.otlp_endpoint else { return Ok(None) };
        let id = crate::node::Identity::load_or_create(&config.node.data_dir).map_err(Failure::other)?.id();
        let exporter = otlp::Exporter::start(endpoint, config, id)?;
        Ok(Some(Self { exporter }))
    }

    /// The layer that receives the spans.
    pub(super) fn layer(&self) -> BoxLayer {
        self.exporter.layer()
    }

    /// Sends the remaining spans, within a time limit.
    pub(super) async fn stop(self) {
        self.exporter.stop().await;
    }
}

/// Without the feature no collector can be configured.
#[cfg(not(feature = "otlp"))]
impl Traces {
    pub(super) fn start(_: &Config) -> Result<Option<Self>, Failure> {
        Ok(None)
    }

    pub(super) fn layer(&self) -> BoxLayer {
        Box::new(tracing_subscriber::layer::Identity::new())
    }

    pub(super) async fn stop(self) {}
}
