use std::{
    convert::Infallible,
    sync::Arc,
    task::{Context as TaskContext, Poll},
};

use ::http::{Request, Response};
use hyper::body::Incoming;
use tokio_rustls::rustls::ServerConfig;
use tonic::body::Body;

use super::{Exposure, NodeError, Parts, targets::reachable, transports::Bound};
use crate::{
    Caller, Channel, Context, Drain, Limits, Method, Payload, Response as Answer, Service, ServiceInfo,
    Status, Streaming, config,
    grpc::{Adapter, NAME},
    metrics::Side,
    net::{Alpn, ConnectionInfo, Listener, ListenerOptions, TlsFiles},
    service::BoxFuture,
};

/// The gRPC side of a node: bound, and not yet serving.
pub(super) struct Grpc {
    listener: Listener,
    options: ListenerOptions,
    target: String,
    limits: Limits,
}

impl Grpc {
    pub(super) async fn bind(config: &config::Grpc) -> Result<Self, NodeError> {
        let refused = |source| NodeError::Bind {
            key: "transport.grpc.bind_address",
            address: config.bind_address,
            source,
        };
        let tls = tls(config)?;
        let listener = Listener::bind(config.bind_address).await.map_err(refused)?;
        let address = reachable(listener.local_addr().map_err(refused)?);
        let scheme = if tls.is_some() { "grpcs" } else { "grpc" };
        let limits = Limits {
            max_message_bytes: config.max_message_size,
            message_timeout: config.message_timeout,
            ..Limits::default()
        };
        let options = ListenerOptions {
            max_connections: config.max_connections as usize,
            handshake_timeout: config.handshake_timeout,
            keep_alive_interval: config.keep_alive_interval,
            keep_alive_timeout: config.keep_alive_timeout,
            max_concurrent_streams: config.max_concurrent_streams,
            // h2 answers what is over this with HTTP's 431. The adapter counts the metadata itself and
            // answers with a status, so this is only for what is far beyond.
            max_header_bytes: u32::try_from(limits.max_metadata_bytes.saturating_mul(8)).unwrap_or(u32::MAX),
            tls,
            ..ListenerOptions::default()
        };
        Ok(Self { listener, options, target: format!("{scheme}://{address}"), limits })
    }
}

/// What connections are encrypted with, where they are.
fn tls(config: &config::Grpc) -> Result<Option<Arc<ServerConfig>>, NodeError> {
    if !config.tls_enabled {
        return Ok(None);
    }
    let (Some(certificate_chain), Some(private_key)) = (config.tls_cert.clone(), config.tls_key.clone())
    else {
        return Err(NodeError::NoCertificate);
    };
    let files = TlsFiles { certificate_chain, private_key, client_authorities: None };
    Ok(Some(files.load(Alpn::Http2)?))
}

impl Bound for Grpc {
    fn name(&self) -> &'static str {
        NAME
    }

    fn target(&self) -> String {
        self.target.clone()
    }

    fn serve(mut self: Box<Self>, parts: &Parts, service: Channel, drain: Drain) -> BoxFuture<()> {
        self.options.gauge = Some(Arc::new(parts.metrics.connections(NAME, Side::Server)));
        let unretired = Unretired { service, exposure: parts.exposure.clone() };
        let service = WithCaller(Adapter::new(unretired.into_channel()).limits(self.limits));
        Box::pin(self.listener.serve_http2(self.options, service, drain))
    }
}

/// The services that are not retired on gRPC.
struct Unretired {
    service: Channel,
    exposure: Exposure,
}

impl Unretired {
    fn check(&self, cx: &Context) -> Result<(), Status> {
        if !self.exposure.is_retired_on_grpc(cx.service()) {
            return Ok(());
        }
        let service = cx.service();
        let refusal = format!(
            "{service} is retired on gRPC here (transport.strategy.retired_on_grpc); call it over Iroh"
        );
        Err(Status::unimplemented(refusal).not_processed())
    }
}

impl Service for Unretired {
    async fn unary(&self, cx: Context, message: Payload) -> Result<Answer<Payload>, Status> {
        self.check(&cx)?;
        self.service.unary(cx, message).await
    }

    async fn stream(
        &self,
        cx: Context,
        messages: Streaming<Payload>,
    ) -> Result<Answer<Streaming<Payload>>, Status> {
        self.check(&cx)?;
        self.service.stream(cx, messages).await
    }

    fn method(&self, path: &str) -> Option<&'static Method> {
        self.service.method(path)
    }

    fn services(&self) -> Vec<ServiceInfo> {
        self.service.services()
    }
}

/// Tells the adapter who calls, from what the listener knows of the connection.
#[derive(Clone)]
struct WithCaller(Adapter<Channel>);

impl tower::Service<Request<Incoming>> for WithCaller {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = <Adapter<Channel> as tower::Service<Request<Incoming>>>::Future;

    fn poll_ready(&mut self, _: &mut TaskContext<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, mut request: Request<Incoming>) -> Self::Future {
        if let Some(connection) = request.extensions().get::<ConnectionInfo>() {
            let address = Some(connection.remote.to_string());
            let caller = Caller { transport: NAME, identity: None, address };
            request.extensions_mut().insert(Arc::new(caller));
        }
        self.0.call(request)
    }
}
