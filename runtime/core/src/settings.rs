//! Settings of transports: each transport declares its section of the configuration.
//!
//! A section declares the type, the default and the documentation of each key. The node reads configurations; this module
//! knows no file format.

#[macro_use]
mod section;

#[cfg(feature = "durations")]
pub mod duration;
#[cfg(any(feature = "grpc", feature = "settings"))]
mod grpc;
#[cfg(any(feature = "iroh", feature = "settings"))]
mod iroh;
pub mod path;
mod setting;

#[cfg(any(feature = "grpc", feature = "settings"))]
pub use self::grpc::Grpc;
#[cfg(any(feature = "iroh", feature = "settings"))]
pub use self::iroh::Iroh;
pub use self::{section::Section, setting::Setting};

#[doc(hidden)]
pub use serde;

#[doc(hidden)]
pub use self::{
    section::{Key, Outline, join},
    setting::{MAX_DURATION, MAX_MESSAGE_SIZE},
};
