use std::time::Duration;

use opentelemetry::{KeyValue, trace::TracerProvider as _};
use opentelemetry_otlp::{
    SpanExporter, WithExportConfig as _, WithTonicConfig as _, tonic_types::transport::ClientTlsConfig,
};
use opentelemetry_sdk::{
    Resource,
    trace::{BatchSpanProcessor, Sampler, SdkTracerProvider},
};
use tracing_subscriber::{EnvFilter, Layer as _};
use url::Url;

use super::{super::failure::Failure, BoxLayer, outage::Outage};
use crate::config::Config;

/// Sends spans in batches from its own thread. A full queue drops spans and never blocks a call.
///
/// Intervals, sizes and further headers are those of OpenTelemetry's
/// [environment variables](https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/).
pub(super) struct Exporter {
    provider: SdkTracerProvider,
    filter: EnvFilter,
}

/// The timeout of a request to the collector; OpenTelemetry's default.
const TIMEOUT: Duration = Duration::from_secs(10);

/// The timeout of sending the last spans when the process ends.
const LAST: Duration = Duration::from_secs(2);

impl Exporter {
    pub(super) fn start(endpoint: &Url, config: &Config, id: String) -> Result<Self, Failure> {
        let mut exporter = SpanExporter::builder().with_tonic().with_endpoint(endpoint.as_str());
        if endpoint.scheme() == "https" {
            exporter = exporter.with_tls_config(ClientTlsConfig::new().with_native_roots());
        }
        let exporter = exporter.with_timeout(TIMEOUT).build().map_err(|error| {
            Failure::other(format!("invalid telemetry.otlp_endpoint {endpoint}: {error}"))
        })?;
        let exporter = Outage::new(exporter, endpoint.clone());
        let name = config.node.name.clone().unwrap_or_else(|| id.chars().take(SHORT).collect());
        let resource = Resource::builder()
            .with_service_name(name)
            .with_attribute(KeyValue::new("service.instance.id", id))
            .build();
        let begun_here = Sampler::TraceIdRatioBased(config.telemetry.sample_ratio);
        let provider = SdkTracerProvider::builder()
            .with_span_processor(BatchSpanProcessor::builder(exporter).build())
            .with_sampler(Sampler::ParentBased(Box::new(begun_here)))
            .with_resource(resource)
            .build();
        let filter = EnvFilter::try_new(&config.telemetry.filter)
            .map_err(|error| Failure::other(format!("telemetry.filter: {error}")))?;
        Ok(Self { provider, filter })
    }

    pub(super) fn layer(&self) -> BoxLayer {
        let tracer = self.provider.tracer(env!("CARGO_PKG_NAME"));
        let layer = tracing_opentelemetry::layer().with_tracer(tracer);
        // The source location and the thread of a call are of no use.
        let layer = layer.with_location(false).with_threads(false).with_tracked_inactivity(false);
        Box::new(layer.with_filter(self.filter.clone()))
    }

    pub(super) async fn stop(self) {
        let stopping = tokio::task::spawn_blocking(move || self.provider.shutdown_with_timeout(LAST));
        match stopping.await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!(%error, "the last traces are lost"),
            Err(error) => tracing::error!(%error, "sending the last traces panicked"),
        }
    }
}

/// The length of a node's default name: the start of its id, in characters.
const SHORT: usize = 10;
