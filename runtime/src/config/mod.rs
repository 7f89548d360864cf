//! The node's configuration: what can be set, and how it is put together.
//!
//! Four layers, lowest first: the defaults, a TOML file, the environment
//! (`POLYWIRE__TRANSPORT__MODE=dual`) and flags (`--transport.mode=dual`). A higher layer replaces
//! single keys of a lower one, so every section and every key is optional in each of them. A list is
//! one key: in variables and flags it is written as in TOML, with commas (`--cluster.peers=A,B`), or
//! element by element (`POLYWIRE__CLUSTER__PEERS__0=A`, `--cluster.peers.0=A`).
//!
//! [`Loader`] reads the layers and reports every problem at once; [`Config`] is the outcome, and can
//! as well be filled in by a program. [`Config::to_toml`] prints it with a line of documentation
//! per key, in a form that loads again.
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

/// Durations as people write them, `10s` or `500ms`, for [`section!`](crate::section).
pub use humantime_serde as duration;

section! {
    /// Everything that can be set on a node.
    ///
    /// The default is a node in dual mode that is reachable from this machine only.
    pub struct Config {}
    sections {
        /// What belongs to the process as a whole.
        pub node: Node,
        /// Which transports the node speaks, and how each of them is set up.
        pub transport: Transport,
        /// The HTTP side: metrics and probes.
        pub http: Http,
        /// How the node watches its own health.
        pub health: Health,
        /// What is logged, and in which form.
        pub log: Log,
        /// Which traces are recorded, and where they go.
        pub telemetry: Telemetry,
        /// Whom the node forms a cluster with.
        pub cluster: Cluster,
        /// What is served for the sake of clients that are older than polywire.
        pub compat: Compat,
    }
}
