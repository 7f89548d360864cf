//! The interoperability cases, between real processes: ours over each transport, and those of other languages on
//! either side.

// Clippy's leave for tests covers their functions, not those that they share.
#![allow(clippy::unwrap_used)]

mod cases;
mod foreign_clients;
mod foreign_servers;
mod gateways;
mod ours;
mod processes;
