use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use opentelemetry_proto::tonic::{
    collector::trace::v1::{
        ExportTraceServiceRequest, ExportTraceServiceResponse,
        trace_service_server::{TraceService, TraceServiceServer},
    },
    common::v1::{AnyValue, KeyValue, any_value::Value},
    trace::v1,
};
use tokio::net::TcpListener;
use tokio_stream::wrappers::TcpListenerStream;

/// A collector that keeps what it gets.
pub(super) struct Collector {
    endpoint: String,
    received: Received,
}

/// A span, and who sent it.
#[derive(Clone, Debug)]
pub(super) struct Span {
    pub(super) by: String,
    pub(super) instance: String,
    pub(super) inner: v1::Span,
}

#[derive(Clone, Default)]
struct Received(Arc<Mutex<Vec<Span>>>);

#[tonic::async_trait]
impl TraceService for Received {
    async fn export(
        &self,
        request: tonic::Request<ExportTraceServiceRequest>,
    ) -> Result<tonic::Response<ExportTraceServiceResponse>, tonic::Status> {
        let mut spans = self.0.lock().unwrap();
        for sent in request.into_inner().resource_spans {
            let resource = sent.resource.unwrap_or_default().attributes;
            let [by, instance] =
                ["service.name", "service.instance.id"].map(|key| text(&resource, key).unwrap().to_owned());
            for inner in sent.scope_spans.into_iter().flat_map(|scope| scope.spans) {
                spans.push(Span { by: by.clone(), instance: instance.clone(), inner });
            }
        }
        Ok(tonic::Response::new(ExportTraceServiceResponse::default()))
    }
}

impl Collector {
    pub(super) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let received = Received::default();
        let server =
            tonic::transport::Server::builder().add_service(TraceServiceServer::new(received.clone()));
        tokio::spawn(server.serve_with_incoming(TcpListenerStream::new(listener)));
        Self { endpoint, received }
    }

    pub(super) fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// The spans of this trace, those of the callers first.
    pub(super) fn trace(&self, id: &str) -> Vec<Span> {
        let mut spans = self.spans();
        spans.retain(|span| span.trace_id() == id);
        spans.sort_by_key(|span| span.inner.start_time_unix_nano);
        spans
    }

    pub(super) fn spans(&self) -> Vec<Span> {
        self.received.0.lock().unwrap().clone()
    }
}

impl Span {
    pub(super) fn trace_id(&self) -> String {
        hexadecimal(&self.inner.trace_id)
    }

    pub(super) fn id(&self) -> String {
        hexadecimal(&self.inner.span_id)
    }

    /// The parent's id; empty where there is none.
    pub(super) fn parent(&self) -> String {
        hexadecimal(&self.inner.parent_span_id)
    }

    pub(super) fn text(&self, key: &str) -> Option<&str> {
        text(&self.inner.attributes, key)
    }

    pub(super) fn code(&self) -> Option<i64> {
        match value(&self.inner.attributes, "rpc.grpc.status_code")? {
            Value::IntValue(code) => Some(*code),
            other => panic!("a code that is no number: {other:?}"),
        }
    }

    /// Whether it says that the call failed, and in which words.
    pub(super) fn failure(&self) -> Option<&str> {
        let status = self.inner.status.as_ref()?;
        (status.code() == v1::status::StatusCode::Error).then_some(&*status.message)
    }

    pub(super) fn took(&self) -> Duration {
        Duration::from_nanos(self.inner.end_time_unix_nano - self.inner.start_time_unix_nano)
    }
}

fn value<'a>(attributes: &'a [KeyValue], key: &str) -> Option<&'a Value> {
    let attribute = attributes.iter().find(|attribute| attribute.key == key)?;
    let Some(AnyValue { value }) = &attribute.value else { return None };
    value.as_ref()
}

fn text<'a>(attributes: &'a [KeyValue], key: &str) -> Option<&'a str> {
    match value(attributes, key)? {
        Value::StringValue(text) => Some(text),
        other => panic!("{key} is no text: {other:?}"),
    }
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
