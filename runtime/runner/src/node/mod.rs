//! A node: services and transports from a configuration, in one process with one shutdown.
//!
//! A node starts in this order: services, identity, listeners (all bind before the node announces itself), the HTTP side,
//! the components, the first health checks, and finally the transports serve. It drains in this order, on every transport:
//!
//! 1. Health reports `NOT_SERVING` to callers and watchers, and `/readyz` answers 503. Components hand over. For
//!    `node.drain_delay` the node still serves calls, so that load balancers notice.
//! 2. Listeners close, and peers learn that they must start no further calls here.
//! 3. Calls in flight finish, for at most `node.drain_timeout`.
//! 4. The node cuts the remaining calls and closes connections and endpoints.
//! 5. Components stop, and the HTTP side finishes scrapes in flight, for at most a second.
//!
//! A transport that stops by itself ends the node in the same order, with an error.

pub(crate) mod access;
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
mod jwt;
mod kept_ports;
mod listening;
mod running;
mod schema;
mod served;
mod shared;
mod targets;
mod tokens;
mod transports;
mod unnamed;
mod upstream;
mod validity;
mod without_data;

pub use builder::{NodeBuilder, Parts, ServiceOverview};
pub use component::{Component, ComponentError, NodeHandle};
pub(crate) use descriptors::raise_limit;
pub use disk_space::DiskSpace;
pub use error::NodeError;
pub use exposure::Exposure;
pub use extension::NodeExtension;
pub use identity::Identity;
pub(crate) use listening::Listening;
#[allow(unused_imports, reason = "for the command line")]
pub(crate) use running::End;
pub use running::Node;
pub use targets::Targets;
pub use upstream::Upstream;
pub use without_data::WithoutData;
