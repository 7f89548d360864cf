//! What a node serves, and over which transports.

use polywire::{Exposure, Router, Service, ServiceInfo, Status};
use polywire_proto::directory::v1::{self, ListRequest, ListResponse};

/// Tells what a node serves.
#[polywire::service(package = "polywire.directory.v1")]
pub trait Directory {
    /// What is served now.
    #[rpc(idempotent)]
    async fn list(&self, request: ListRequest) -> Result<ListResponse, Status>;
}

/// The directory of this node.
#[derive(Clone, Debug)]
pub struct NodeDirectory {
    router: Router,
    exposure: Exposure,
}

impl NodeDirectory {
    /// Lists the services that the router has, over the transports that expose them.
    pub fn new(router: Router, exposure: Exposure) -> Self {
        Self { router, exposure }
    }

    fn entry(&self, info: &ServiceInfo) -> v1::Service {
        let methods = info.methods().iter().map(|method| v1::Method {
            name: method.name().to_owned(),
            client_streaming: method.shape().streams_requests(),
            server_streaming: method.shape().streams_responses(),
            idempotent: method.is_idempotent(),
            documentation: method.documentation().to_owned(),
        });
        v1::Service {
            name: info.name().to_owned(),
            documentation: info.documentation().to_owned(),
            methods: methods.collect(),
            transports: self.exposure.transports(info.name()).map(str::to_owned).collect(),
        }
    }
}

impl Directory for NodeDirectory {
    async fn list(&self, _: ListRequest) -> Result<ListResponse, Status> {
        Ok(ListResponse { services: self.router.services().iter().map(|info| self.entry(info)).collect() })
    }
}
