use std::{future::pending, sync::Arc};

use polywire::{
    Authorize, Codec, ConnectOptions, Context, Drain, ServiceExt as _, Status, config,
    grpc::{self, Grpc},
    transport::{BindContext, BindError, Bound, Connected, Scheme, Serving, Transport},
};

use super::{answerer::Answerer, caller::Caller, fault::Fault};

/// gRPC, with a fault.
#[derive(Clone, Copy)]
pub(super) struct Broken(pub(super) Fault);

impl Transport for Broken {
    type Config = config::Grpc;
    type Address = grpc::Address;
    type Bound = BrokenListening;

    fn name(&self) -> &'static str {
        if self.0 == Fault::Name { "pigeon" } else { Grpc.name() }
    }

    fn schemes(&self) -> &'static [Scheme] {
        Grpc.schemes()
    }

    fn codec(&self) -> Codec {
        Grpc.codec()
    }

    fn parse(&self, scheme: &'static str, rest: &str) -> Result<grpc::Address, String> {
        Grpc.parse(scheme, rest)
    }

    async fn connect(&self, address: grpc::Address, options: ConnectOptions) -> Result<Connected, Status> {
        let fault = self.0;
        if fault == Fault::Leak {
            tokio::spawn(pending::<()>());
        }
        let mut options = options;
        if fault == Fault::Codec {
            options.codec = None;
        }
        let channel = Grpc.connect(address, options).await?.channel;
        Ok(Connected::new(Caller::new(channel, fault)))
    }

    async fn bind(&self, config: config::Grpc, node: BindContext) -> Result<BrokenListening, BindError> {
        Ok(BrokenListening { inner: Grpc.bind(config, node).await?, fault: self.0 })
    }
}

pub(super) struct BrokenListening {
    inner: grpc::Listening,
    fault: Fault,
}

/// Decides about a call as it begins, and never again.
struct OnceAlone(Arc<dyn Authorize>);

impl Authorize for OnceAlone {
    fn authorize(&self, cx: &mut Context) -> Result<(), Status> {
        self.0.authorize(cx)
    }
}

impl Bound for BrokenListening {
    fn target(&self) -> String {
        self.inner.target()
    }

    async fn serve(self, mut serving: Serving) {
        let Self { inner, fault } = self;
        serving.service = Answerer::new(serving.service, fault).into_channel();
        let drain = serving.drain.clone();
        match fault {
            Fault::Drain => serving.drain = Drain::new(),
            Fault::Access => serving.access = None,
            Fault::AccessEnds => {
                serving.access =
                    serving.access.map(|access| Arc::new(OnceAlone(access)) as Arc<dyn Authorize>);
            }
            Fault::Gauge => serving.connections = None,
            _ => {}
        }
        if fault == Fault::Death {
            tokio::spawn(inner.serve(serving));
            drain.cutting().await;
        } else {
            inner.serve(serving).await;
        }
    }
}
