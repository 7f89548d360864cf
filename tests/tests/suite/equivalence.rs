//! The same meaning on every transport: one suite, run over each by the same code.

mod backpressure;
mod cancellation;
mod codec;
mod compression;
mod deadline;
mod layers;
mod limits;
mod load;
mod metadata;
mod panics;
mod shapes;
mod skew;
mod status;
