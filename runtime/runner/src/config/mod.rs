//! The node's configuration.
//!
//! There are four layers, lowest first: the defaults, a TOML file, the environment (`POLYWIRE__TRANSPORT__MODE=dual`) and
//! flags (`--transport.mode=dual`). A higher layer replaces single keys of a lower one, so every section and every key is
//! optional in each layer. A list is one key: variables and flags write it as in TOML, with commas
//! (`--cluster.peers=A,B`), or element by element (`POLYWIRE__CLUSTER__PEERS__0=A`, `--cluster.peers.0=A`).
//!
//! [`Loader`] loads the layers and reports all problems at once. The result is a [`Config`], which a program can also
//! create itself. [`Config::to_toml`] prints it with the documentation of each key, in a form that loads again.
//!
//! ```
//! use polywire::config::{Loader, Mode};
//!
//! let loaded = Loader::new()
//!     .text("node.toml", "[transport]\nmode = \"iroh\"")
//!     .flag("transport.mode", "grpc")
//!     .load()?;
//! assert_eq!(loaded.config.transport.mode, Mode::Grpc);
//! # Ok::<(), polywire::config::ConfigError>(())
//! ```

mod access;
mod check;
mod cluster;
mod compat;
mod delay;
mod error;
mod explain;
mod file;
mod finding;
mod health;
mod http;
mod jwt;
mod keys;
mod layer;
mod loader;
mod log;
mod node;
mod origin;
mod outlines;
mod print;
mod reached;
mod read;
mod registered;
mod rules;
mod shift;
mod short_names;
mod strategy;
mod suggest;
mod telemetry;
mod text;
mod transport;
mod warn;

pub use self::{
    access::{Access, Allow, AllowRule},
    cluster::Cluster,
    compat::Compat,
    delay::Delay,
    error::{ConfigError, Problem},
    health::Health,
    http::Http,
    jwt::{JwtIssuer, JwtIssuers},
    loader::{Loaded, Loader},
    log::{Log, LogFormat},
    node::Node,
    origin::{Origin, Position},
    registered::Registered,
    rules::{Rule, RuleName, Rules},
    shift::Shift,
    strategy::{RaftTransport, Strategy},
    telemetry::Telemetry,
    transport::{Mode, Transport},
};

pub(crate) use self::{
    jwt::Issuers,
    keys::{KeyHelp, keys},
    log::BASE as LOG_BASE,
    suggest::nearest_key,
};
pub use polywire_core::settings::{Grpc, Iroh, Section, Setting, path};

/// Durations as text, such as `10s` or `500ms`, for [`section!`](polywire_core::section).
pub use polywire_core::settings::duration;

polywire_core::section! {
    /// All settings of a node.
    ///
    /// The default is a node in dual mode that only this machine can reach.
    pub struct Config {}
    sections {
        /// Settings of the process as a whole.
        pub node: Node,
        /// The node's transports and their settings.
        pub transport: Transport,
        /// The HTTP side: metrics and probes.
        pub http: Http,
        /// The node's health checks.
        pub health: Health,
        /// The log's filter and format.
        pub log: Log,
        /// The recording and export of traces.
        pub telemetry: Telemetry,
        /// Access to the methods of the node.
        pub access: Access,
        /// The node's cluster.
        pub cluster: Cluster,
        /// Services for clients that are older than polywire.
        pub compat: Compat,
    }
}
