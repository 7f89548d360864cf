//! .
#[cfg(feature = "node")]
pub mod metrics;
#[cfg(feature = "node")]
pub mod net;
