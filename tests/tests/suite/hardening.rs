//! What a node answers to clients that mean no good, or that just vanish: the figures that bare tonic and
//! hyper miss.

mod descriptors;
mod health;
mod process;
pub(crate) use process::resident;
mod silent;
mod streams;
