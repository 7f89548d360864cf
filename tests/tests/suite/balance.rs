//! A channel over Iroh and gRPC to one peer, across a link that is made bad.

mod dark;
mod failures;
mod faults;
mod load;
mod members;
mod migration;
mod peer;
mod process;
mod relay;
mod running;
mod swallowed;
