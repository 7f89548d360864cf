use std::sync::Arc;

use polywire::{
    Channel, Codec, ConnectOptions, Drain, Gateway, ServiceExt as _, Status,
    transport::{BindContext, BindError, Bound, Connected, Scheme, Serving, Transport},
};

/// One transport to a gateway, and another from there to the service.
#[derive(Clone, Debug)]
pub struct BehindAGateway<F, B: Transport> {
    /// What leads to the gateway.
    pub front: F,
    /// What leads on.
    pub back: Arc<B>,
    /// The configuration of the server behind the gateway.
    pub config: B::Config,
}

/// A gateway, and the server behind it.
pub struct Behind<F, B> {
    front: F,
    back: B,
    gateway: Channel,
    way: Connected,
}

impl<F: std::fmt::Debug, B> std::fmt::Debug for Behind<F, B> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Behind").field("front", &self.front).finish_non_exhaustive()
    }
}

impl<F: Transport, B: Transport> Transport for BehindAGateway<F, B> {
    type Config = F::Config;
    type Address = F::Address;
    type Bound = Behind<F::Bound, B::Bound>;

    /// What the handlers are told that calls come over.
    fn name(&self) -> &'static str {
        self.back.name()
    }

    fn schemes(&self) -> &'static [Scheme] {
        self.front.schemes()
    }

    fn codec(&self) -> Codec {
        self.front.codec()
    }

    fn parse(&self, scheme: &'static str, rest: &str) -> Result<F::Address, String> {
        self.front.parse(scheme, rest)
    }

    async fn connect(&self, address: F::Address, options: ConnectOptions) -> Result<Connected, Status> {
        self.front.connect(address, options).await
    }

    async fn bind(&self, config: F::Config, node: BindContext) -> Result<Self::Bound, BindError> {
        let back = self.back.bind(self.config.clone(), node.clone()).await?;
        let way = self.dial(&back.target()).await.map_err(|status| BindError::Other(status.into()))?;
        let gateway = Gateway::new(way.channel.clone()).over(self.back.name()).into_channel();
        let front = self.front.bind(config, BindContext::new(*node.secret_key(), gateway.clone())).await?;
        Ok(Behind { front, back, gateway, way })
    }
}

impl<F: Transport, B: Transport> BehindAGateway<F, B> {
    /// The gateway's way to the server behind it.
    async fn dial(&self, target: &str) -> Result<Connected, Status> {
        let (name, rest) = target.split_once("://").expect("a target with a scheme");
        let scheme = self.back.schemes().iter().find(|scheme| scheme.name == name).expect("its own scheme");
        let address = self.back.parse(scheme.name, rest).map_err(Status::internal)?;
        self.back.connect(address, ConnectOptions::new()).await
    }
}

impl<F: Bound, B: Bound> Bound for Behind<F, B> {
    fn target(&self) -> String {
        self.front.target()
    }

    async fn serve(self, mut serving: Serving) {
        let Self { front, back, gateway, way } = self;
        let behind = Drain::new();
        let mut back_serving = Serving::new(serving.service, behind.clone());
        // The server knows its methods, and the gateway passes on what callers prove by metadata.
        back_serving.access = serving.access.take();
        let served = back.serve(back_serving);
        serving.service = gateway;
        let passing = async {
            front.serve(serving).await;
            // No call is left that the server behind would have to answer.
            way.close.await;
            behind.cut();
        };
        tokio::join!(served, passing);
    }
}
