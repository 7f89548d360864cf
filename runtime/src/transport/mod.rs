//! The networks that carry calls. None of them knows another; each turns calls at the waist into what its
//! peers speak, and back.

pub mod framed;
#[cfg(feature = "grpc")]
pub mod grpc;
#[cfg(feature = "iroh")]
pub mod iroh;
mod limits;

pub use limits::Limits;
