//! The README and the guide hold what they say: their links lead somewhere, what they show is the code that is
//! compiled, and the commands that they give work.

// Clippy's leave for tests covers their functions, not those that they share.
#![allow(clippy::unwrap_used)]

mod commands;
mod page;
mod reference;
mod session;
mod shown;
mod summary;
mod words;
