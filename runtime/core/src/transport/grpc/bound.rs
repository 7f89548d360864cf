use std::{
    convert::Infallible,
    sync::Arc,
    task::{Context as TaskContext, Poll},
};

use ::http::{Request, Response};
use hyper::body::Incoming;
use tonic::body::Body;

use super::{Adapter, NAME};
use crate::{
    Caller, Channel, Limits, settings,
    transport::{
        BindContext, BindError, Bound, Inbound, Serving,
        net::{
            Callers, ConnectionInfo, Listener, ListenerOptions, ListenerTls, TlsSettings, listener_tls,
            reachable,
        },
    },
};

/// Where a node listens for gRPC.
#[derive(Debug)]
pub struct Listening {
    listener: Listener,
    options: ListenerOptions,
    /// The identities of clients, under TLS.
    callers: Option<Arc<Callers>>,
    target: String,
    limits: Limits,
}

pub(super) async fn bind(config: settings::Grpc, node: &BindContext) -> Result<Listening, BindError> {
    let refused = |source| BindError::listen("transport.grpc.bind_address", config.bind_address, source);
    let tls = tls(&config, node)?;
    let listener = node.bind(config.bind_address, Listener::bind_at).await.map_err(refused)?;
    let address = reachable(listener.local_addr().map_err(refused)?);
    let target = match &tls {
        None => format!("grpc://{address}"),
        Some(ListenerTls { pin: None, .. }) => format!("grpcs://{address}"),
        Some(ListenerTls { pin: Some(key), .. }) => format!("grpcs://{address}?key={key}"),
    };
    let callers = tls.as_ref().map(|tls| tls.callers.clone());
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
        max_header_bytes: max_header_bytes(&limits),
        tls: tls.map(|tls| Arc::new(tls.config)),
        ..ListenerOptions::default()
    };
    Ok(Listening { listener, options, callers, target, limits })
}

/// How large the header of a request may be, in bytes. h2 answers what is over this with HTTP's 431. The adapter counts the
/// metadata itself and answers with a status, so this is only for what is far beyond.
pub(super) fn max_header_bytes(limits: &Limits) -> u32 {
    u32::try_from(limits.max_metadata_bytes.saturating_mul(8)).unwrap_or(u32::MAX)
}

/// What answers the calls of a listener.
pub(super) fn adapter(serving: &Serving, limits: Limits) -> Adapter<Channel> {
    Adapter::from(Inbound::from(serving).limits(limits))
}

/// What connections are encrypted with, where they are.
fn tls(config: &settings::Grpc, node: &BindContext) -> Result<Option<ListenerTls>, BindError> {
    if !config.tls_enabled {
        return match config.client_ca {
            None => Ok(None),
            Some(_) => {
                let problem = "is set; expected transport.grpc.tls_enabled = true beside it";
                Err(BindError::setting("transport.grpc.client_ca", problem))
            }
        };
    }
    let settings = TlsSettings {
        transport: NAME,
        certificate: config.tls_cert.clone(),
        key: config.tls_key.clone(),
        client_ca: config.client_ca.clone(),
    };
    listener_tls(settings, node, b"h2").map(Some)
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
        let service = WithCaller { adapter: adapter(&serving, self.limits), callers: self.callers };
        let Serving { connections, drain, descriptors, .. } = serving;
        self.options.gauge = connections;
        self.listener.within(descriptors).serve_http2(self.options, service, drain).await;
    }
}

/// Tells the adapter who calls, from what the listener knows of the connection.
#[derive(Clone)]
struct WithCaller {
    adapter: Adapter<Channel>,
    callers: Option<Arc<Callers>>,
}

impl tower::Service<Request<Incoming>> for WithCaller {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = <Adapter<Channel> as tower::Service<Request<Incoming>>>::Future;

    fn poll_ready(&mut self, _: &mut TaskContext<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, mut request: Request<Incoming>) -> Self::Future {
        if let Some(connection) = request.extensions().get::<ConnectionInfo>() {
            let caller = connection.caller(|connection| caller(connection, self.callers.as_deref()));
            request.extensions_mut().insert(caller);
        }
        self.adapter.call(request)
    }
}

fn caller(connection: &ConnectionInfo, callers: Option<&Callers>) -> Caller {
    let caller = Caller::new(NAME).at(connection.remote);
    let shown = connection.tls.as_ref().map(|tls| &*tls.peer_certificates);
    match callers.zip(shown) {
        Some((callers, shown)) => callers.identify(caller, shown),
        None => caller,
    }
}
