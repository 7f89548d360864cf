use std::{
    fmt,
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use opentelemetry_sdk::{
    Resource,
    error::OTelSdkResult,
    trace::{SpanData, SpanExporter},
};
use url::Url;

/// An exporter that logs once when its collector fails and once when it works again. Every batch tries it again, and must
/// not fill the log.
pub(super) struct Outage<E> {
    inner: E,
    endpoint: Url,
    out: AtomicBool,
}

impl<E> Outage<E> {
    pub(super) fn new(inner: E, endpoint: Url) -> Self {
        Self { inner, endpoint, out: AtomicBool::new(false) }
    }

    fn note(&self, outcome: &OTelSdkResult) {
        let was_out = self.out.swap(outcome.is_err(), Ordering::Relaxed);
        match outcome {
            Err(error) if !was_out => {
                tracing::warn!(endpoint = %self.endpoint, %error, "the collector does not accept traces; they are lost until it does");
            }
            Ok(()) if was_out => {
                tracing::info!(endpoint = %self.endpoint, "the collector accepts traces again");
            }
            Err(_) | Ok(()) => {}
        }
    }
}

impl<E: SpanExporter> SpanExporter for Outage<E> {
    async fn export(&self, mut batch: Vec<SpanData>) -> OTelSdkResult {
        for span in &mut batch {
            // This field is for logs only.
            span.attributes.retain(|attribute| attribute.key.as_str() != "trace_id");
        }
        let outcome = self.inner.export(batch).await;
        self.note(&outcome);
        outcome
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.inner.shutdown_with_timeout(timeout)
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.inner.force_flush()
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.inner.set_resource(resource);
    }
}

impl<E> fmt::Debug for Outage<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outage").field("endpoint", &self.endpoint.as_str()).finish_non_exhaustive()
    }
}
