//! What holds for the sources of the whole workspace.

#[path = "house/words.rs"]
mod words;
