//! What holds for the sources of the whole workspace.

#![allow(clippy::unwrap_used, reason = "all of this is tests")]

#[path = "house/crates.rs"]
mod crates;
#[path = "house/layers.rs"]
mod layers;
#[path = "house/length.rs"]
mod length;
#[path = "house/names.rs"]
mod names;
#[path = "house/sources.rs"]
mod sources;
#[path = "house/words.rs"]
mod words;
