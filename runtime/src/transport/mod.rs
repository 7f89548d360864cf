//! The networks that carry calls. None of them knows another; each turns calls at the waist into what its
//! peers speak, and back.

mod alpn;
mod arrivals;
#[cfg(feature = "node")]
mod descriptors;
pub mod framed;
mod gauge;
#[cfg(feature = "grpc")]
pub mod grpc;
mod guarded;
#[cfg(feature = "iroh")]
pub mod iroh;
mod limits;
#[cfg(feature = "memory")]
pub mod memory;
#[cfg(feature = "mux")]
pub mod mux;
mod path;
#[cfg(feature = "quic")]
pub mod quic;
mod refusals;
mod remote;
mod scope;
#[cfg(feature = "node")]
pub(crate) mod seam;
#[cfg(feature = "unix")]
pub mod unix;
#[cfg(feature = "websocket")]
pub mod websocket;

pub use alpn::{AlpnError, AlpnName};
#[cfg(any(feature = "grpc", feature = "memory"))]
pub(crate) use arrivals::Arrival;
pub(crate) use arrivals::Arrivals;
#[cfg(feature = "node")]
pub(crate) use descriptors::{Descriptors, Place, raise_limit};
pub use gauge::ConnectionGauge;
#[cfg(feature = "node")]
pub(crate) use gauge::Counted;
pub use guarded::Guarded;
pub use limits::Limits;
#[cfg(feature = "grpc")]
pub(crate) use limits::check_metadata_weight;
pub use path::NetworkPath;
pub(crate) use refusals::Refusals;
pub(crate) use remote::Remote;
#[cfg(feature = "node")]
pub use seam::{
    Address, BindContext, BindError, Bound, Connected, LiveTarget, PathProbe, RegisterError, Scheme, Serving,
    Transport, register,
};
