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

#[macro_use]
mod section;

mod check;
mod cluster;
mod compat;
mod error;
mod explain;
mod file;
mod finding;
mod grpc;
mod health;
mod http;
mod iroh;
mod keys;
mod layer;
mod loader;
mod log;
mod names;
mod node;
mod origin;
pub mod path;
mod print;
mod read;
mod registered;
mod rules;
mod setting;
mod shift;
mod strategy;
mod suggest;
mod telemetry;
mod text;
mod transport;
mod warn;

pub use self::{
    cluster::Cluster,
    compat::Compat,
    error::{ConfigError, Problem},
    grpc::Grpc,
    health::Health,
    http::Http,
    iroh::Iroh,
    loader::{Loaded, Loader},
    log::{Log, LogFormat},
    node::Node,
    origin::{Origin, Position},
    registered::Registered,
    rules::{Rule, RuleName, Rules},
    section::Section,
    setting::{Delay, Setting},
    shift::Shift,
    strategy::{RaftTransport, Strategy},
    telemetry::Telemetry,
    transport::{Mode, Transport},
};

#[doc(hidden)]
pub use self::section::{Key, Outline, join};
pub(crate) use self::{
    keys::{KeyHelp, keys},
    log::BASE as LOG_BASE,
    read::{ReadError, read_section},
    setting::MAX_MESSAGE_SIZE,
    suggest::nearest_key,
};

/// Durations as text, such as `10s` or `500ms`, for [`section!`](crate::section).
pub use humantime_serde as duration;

section! {
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
        /// The node's cluster.
        pub cluster: Cluster,
        /// Services for clients that are older than polywire.
        pub compat: Compat,
    }
}
