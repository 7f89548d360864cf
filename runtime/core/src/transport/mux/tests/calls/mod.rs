//! The cases that calls pass over a connection in memory.

#![allow(clippy::duplicate_mod, reason = "they are the same cases")]

#[path = "../../../framed/tests/broken.rs"]
mod broken;
#[path = "../../../framed/tests/cancelling.rs"]
mod cancelling;
mod carrier;
#[path = "../../../framed/tests/deadlines.rs"]
mod deadlines;
#[path = "../../../framed/tests/draining.rs"]
mod draining;
#[path = "../../../framed/tests/limits.rs"]
mod limits;
#[path = "../../../framed/tests/metadata.rs"]
mod metadata;
#[path = "../../../framed/tests/peers.rs"]
mod peers;
#[path = "../../../framed/tests/redialling.rs"]
mod redialling;
#[path = "../../../framed/tests/shapes.rs"]
mod shapes;
