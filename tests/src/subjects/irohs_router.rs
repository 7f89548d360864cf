use std::sync::Arc;

use iroh::{
    Endpoint, SecretKey,
    endpoint::Connection,
    protocol::{AcceptError, ProtocolHandler, Router},
};
use polywire::{
    Codec, ConnectOptions, Limits, Status, config,
    iroh::{ALPN, Address, Handler, Iroh, QuicProfile},
    transport::{BindContext, BindError, Bound, Connected, ConnectionGauge, Scheme, Serving, Transport},
};

use super::guarded;
use crate::endpoint;

/// Iroh by iroh's own `Router`.
#[derive(Clone, Copy, Debug)]
pub struct IrohsRouter;

/// The endpoint that a `Router` is to have.
#[derive(Debug)]
pub struct IrohsRouterBound {
    endpoint: Endpoint,
    config: config::Iroh,
}

impl Transport for IrohsRouter {
    type Config = config::Iroh;
    type Address = Address;
    type Bound = IrohsRouterBound;

    fn name(&self) -> &'static str {
        Iroh.name()
    }

    fn schemes(&self) -> &'static [Scheme] {
        Iroh.schemes()
    }

    fn codec(&self) -> Codec {
        Iroh.codec()
    }

    fn parse(&self, scheme: &'static str, rest: &str) -> Result<Address, String> {
        Iroh.parse(scheme, rest)
    }

    async fn connect(&self, address: Address, options: ConnectOptions) -> Result<Connected, Status> {
        Iroh.connect(address, options).await
    }

    async fn bind(&self, config: config::Iroh, node: BindContext) -> Result<IrohsRouterBound, BindError> {
        let profile = QuicProfile {
            max_concurrent_streams: config.max_concurrent_streams,
            idle_timeout: config.idle_timeout,
            keep_alive_interval: config.keep_alive_interval,
        };
        let builder = endpoint::builder()
            .secret_key(SecretKey::from_bytes(node.secret_key()))
            .alpns(vec![ALPN.to_vec()])
            .transport_config(profile.transport_config());
        let endpoint = builder.bind().await.map_err(|error| BindError::Other(error.into()))?;
        Ok(IrohsRouterBound { endpoint, config })
    }
}

impl Bound for IrohsRouterBound {
    fn target(&self) -> String {
        let address = self.endpoint.bound_sockets()[0];
        format!("iroh://{}?addr={address}", self.endpoint.id())
    }

    async fn serve(self, serving: Serving) {
        let Self { endpoint, config } = self;
        let limits = Limits {
            max_message_bytes: config.max_message_size,
            message_timeout: config.message_timeout,
            ..Limits::default()
        };
        let handler = Handler::new(guarded(serving.service, serving.access.clone()))
            .limits(limits)
            .max_concurrent_streams(config.max_concurrent_streams);
        let gauge = serving.connections;
        let router = Router::builder(endpoint.clone()).accept(ALPN, Counted { handler, gauge }).spawn();
        serving.drain.stopping().await;
        tokio::select! {
            ended = router.shutdown() => ended.expect("no handler panics"),
            () = serving.drain.cutting() => endpoint.close().await,
        }
    }
}

/// A handler whose connections are counted.
struct Counted {
    handler: Handler,
    gauge: Option<Arc<dyn ConnectionGauge>>,
}

impl std::fmt::Debug for Counted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Counted").field(&self.handler).finish()
    }
}

/// One connection, until it is dropped.
struct Open<'a>(&'a dyn ConnectionGauge);

impl Drop for Open<'_> {
    fn drop(&mut self) {
        self.0.closed();
    }
}

impl ProtocolHandler for Counted {
    async fn accept(&self, connection: Connection) -> Result<(), AcceptError> {
        let _open = self.gauge.as_deref().map(|gauge| {
            gauge.opened();
            Open(gauge)
        });
        self.handler.accept(connection).await
    }

    async fn shutdown(&self) {
        self.handler.shutdown().await;
    }
}
