//! Ways to a service that are no transport of a node, in a transport's form, so that the conformance suite can be run
//! over them: a foreign server around ours, the process itself, and gateways.

mod gateway;
mod grpc_over_unix;
mod in_process;
mod irohs_router;
mod tonics_server;

use std::sync::Arc;

use polywire::{Authorize, Channel, layer};

pub use gateway::{Behind, BehindAGateway};
pub use grpc_over_unix::{GrpcOverUnix, GrpcOverUnixBound};
pub use in_process::{InProcess, InProcessAddress, InProcessBound, InProcessConfig};
pub use irohs_router::{IrohsRouter, IrohsRouterBound};
pub use tonics_server::{TonicsServer, TonicsServerBound};

/// A service that a foreign server serves, inside of the layer that asks about callers: such a server has no edge that asks.
fn guarded(service: Channel, access: Option<Arc<dyn Authorize>>) -> Channel {
    match access {
        Some(access) => service.layer(&layer::access(access)),
        None => service,
    }
}
