//! What the Iroh transport promises beyond what every transport does.

mod acks;
mod alpn;
mod dialling;
mod drain;
pub(crate) mod raw;
mod relay;
mod restarted;
mod streams;
