//! What can be set on a transport: sections of the configuration, as each transport declares its own.
//!
//! A section says of each key its type, its default and its documentation; what reads configurations (the node) does the
//! rest. No format is named here.

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
pub use self::{
    section::{Key, Outline, join},
    setting::{MAX_DURATION, MAX_MESSAGE_SIZE},
};

