use std::sync::Arc;

use polywire_core::ShortName;

/// The transports that serve each service of a node.
#[derive(Clone, Debug, Default)]
pub struct Exposure(Arc<Rules>);

#[derive(Debug, Default)]
struct Rules {
    transports: Vec<&'static str>,
    retired_on_grpc: Vec<ShortName>,
}

impl Exposure {
    pub(super) fn new(transports: Vec<&'static str>, retired_on_grpc: Vec<ShortName>) -> Self {
        Self(Arc::new(Rules { transports, retired_on_grpc }))
    }

    /// The transports that serve the service `package.Service`.
    pub fn transports(&self, service: &str) -> impl Iterator<Item = &'static str> {
        self.0.transports.iter().copied().filter(move |transport| self.is_served(service, transport))
    }

    /// Whether this transport of the node serves the service `package.Service`.
    pub(super) fn is_served(&self, service: &str, transport: &str) -> bool {
        transport != "grpc" || !self.is_retired_on_grpc(service)
    }

    /// Whether gRPC no longer serves the service `package.Service`.
    pub fn is_retired_on_grpc(&self, service: &str) -> bool {
        self.0.retired_on_grpc.iter().any(|retired| retired.names(service))
    }
}
