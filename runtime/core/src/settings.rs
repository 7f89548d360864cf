//! What can be set on a transport: sections of the configuration, as each transport declares its own.
//!
//! A section says of each key its type, its default and its documentation; what reads configurations (the node) does the
//! rest. No format is named here.

#[macro_use]
mod section;

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

/// Durations as people write them, `10s` or `500ms`, for [`section!`](crate::section).
#[cfg(feature = "durations")]
pub use humantime_serde as duration;
