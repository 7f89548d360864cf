//! The networks that carry calls. None of them knows another; each turns calls at the waist into what its
//! peers speak, and back.

mod alpn;
#[cfg_attr(not(feature = "iroh"), allow(dead_code, unused_imports))]
pub mod framed;
#[cfg_attr(not(any(feature = "iroh", feature = "node")), allow(dead_code))]
mod gauge;
#[cfg(feature = "grpc")]
pub mod grpc;
#[cfg(feature = "iroh")]
pub mod iroh;
mod limits;
#[cfg(feature = "mux")]
pub mod mux;

pub use alpn::{AlpnError, AlpnName};
pub use gauge::ConnectionGauge;
#[cfg(any(feature = "iroh", feature = "node"))]
pub(crate) use gauge::Counted;
pub use limits::Limits;
