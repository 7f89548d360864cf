//! A node: services and transports put together from a configuration, in one process with one shutdown.
//!
//! It starts in this order: services, identity, listeners (everything binds before anything is said), the HTTP
//! side, the components, the first run of the health checks, and then the transports serve. It ends in this order, on every
//! transport:
//!
//! 1. health says `NOT_SERVING`, watchers are told, `/readyz` answers 503; components hand over, and for `node.drain_delay`
//!    calls are served as before, so that balancers have the time to see it;
//! 2. listeners close, peers are told to start nothing more here;
//! 3. calls in flight finish, for at most `node.drain_timeout`;
//! 4. what is left is cut, connections and endpoint are closed;
//! 5. components stop, and the HTTP side finishes the scrapes in flight, for at most a second.
//!
//! A transport that stops by itself ends the node in the same order, and with an error.

mod builder;
mod certificates;
mod component;
mod data_dir;
mod descriptors;
mod disk_space;
mod error;
mod exposed;
mod exposure;
mod extension;
mod http;
mod identity;
mod kept_ports;
mod running;
mod schema;
mod served;
mod shared;
mod targets;
mod transports;
mod unnamed;
mod upstream;
mod validity;

pub use builder::{NodeBuilder, Parts, ServiceOverview};
pub use component::{Component, ComponentError, NodeHandle};
pub(crate) use descriptors::raise_limit;
pub use disk_space::DiskSpace;
pub use error::NodeError;
pub use exposure::Exposure;
pub use extension::NodeExtension;
pub use identity::Identity;
#[allow(unused_imports, reason = "for the command line")]
pub(crate) use running::End;
pub use running::Node;
pub use targets::Targets;
pub use upstream::Upstream;
