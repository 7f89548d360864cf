//! Ways to a service that are no transport of a node, in a transport's form, so that the conformance suite can be run
//! over them: a foreign server around ours, the process itself, and gateways.

mod gateway;
mod in_process;
mod irohs_router;
mod tonics_server;

pub use gateway::{Behind, BehindAGateway};
pub use in_process::{InProcess, InProcessAddress, InProcessBound, InProcessConfig};
pub use irohs_router::{IrohsRouter, IrohsRouterBound};
pub use tonics_server::{TonicsServer, TonicsServerBound};
