use std::{
    convert::Infallible,
    sync::Arc,
    task::{Context as TaskContext, Poll},
};

use ::http::{Request, Response};
use hyper::body::Incoming;
use rustls::ServerConfig;
use tonic::body::Body;

use super::{Adapter, NAME};
use crate::{
    Caller, Channel, Limits, settings,
    transport::{
        Arrivals, BindContext, BindError, Bound, Serving,
        net::{ConnectionInfo, Listener, ListenerOptions, TlsFiles, reachable},
    },
};

/// Where a node listens for gRPC.
#[derive(Debug)]
pub struct Listening {
    listener: Listener,
    options: ListenerOptions,
    target: String,
    limits: Limits,
}

pub(super) async fn bind(config: settings::Grpc, node: &BindContext) -> Result<Listening, BindError> {
    let refused = |source| BindError::listen("transport.grpc.bind_address", config.bind_address, source);
    let tls = tls(&config, node)?;
    let listener = node.bind(config.bind_address, Listener::bind_at).await.map_err(refused)?;
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
    Ok(Listening { listener, options, target: format!("{scheme}://{address}"), limits })
}

/// What connections are encrypted with, where they are.
fn tls(config: &settings::Grpc, node: &BindContext) -> Result<Option<Arc<ServerConfig>>, BindError> {
    if !config.tls_enabled {
        return Ok(None);
    }
    let (Some(certificate_chain), Some(private_key)) = (config.tls_cert.clone(), config.tls_key.clone())
    else {
        let problem = "is true; expected transport.grpc.tls_cert and tls_key beside it";
        return Err(BindError::setting("transport.grpc.tls_enabled", problem));
    };
    let files = TlsFiles { certificate_chain, private_key, client_authorities: None };
    let loaded = node.certificates().server_config(NAME, files, b"h2");
    loaded
        .map(|tls| Some(Arc::new(tls)))
        .map_err(|error| BindError::setting("transport.grpc.tls_cert or tls_key", error))
}

impl Bound for Listening {
    fn target(&self) -> String {
        self.target.clone()
    }

    fn alpns(&self) -> Vec<String> {
        // There is no ALPN in plaintext.
        self.options.tls.iter().map(|_| "h2".to_owned()).collect()
    }

    async fn serve(mut self, serving: Serving) {
        self.options.gauge = serving.connections;
        let Serving { service, drain, observer, descriptors, .. } = serving;
        let arrivals = Arrivals::new(observer, &service);
        let service = WithCaller(Adapter::new(service).limits(self.limits).counted(arrivals));
        self.listener.within(descriptors).serve_http2(self.options, service, drain).await;
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
