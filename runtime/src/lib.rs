//! .
#[cfg(feature = "node")]
pub mod net;
