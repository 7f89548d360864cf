//! What the Iroh transport promises beyond what every transport does.

mod alpn;
mod dialling;
mod drain;
mod raw;
mod streams;
