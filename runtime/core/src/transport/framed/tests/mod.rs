//! Calls over a connection in memory, and bytes that no honest peer would send.

mod broken;
mod cancelling;
mod carrier;
#[cfg(feature = "gzip")]
mod compression;
mod counting;
mod deadlines;
mod draining;
mod limits;
mod metadata;
mod peers;
mod redialling;
mod refused;
mod shapes;
mod together;
