//! .

#[cfg(feature = "node")]
pub mod config;
