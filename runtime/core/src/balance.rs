//! One channel over several transports to a peer, or over the members of a cluster: which of them a call takes, and what
//! becomes of a call that fails there.

mod attempt;
mod builder;
#[doc(hidden)]
pub mod directory;
mod discovery;
mod explain;
mod fallback;
mod liveness;
mod mirror;
mod observer;
mod picker;
pub(crate) mod probe;
mod prober;
mod response_stream;
mod retry;
mod state;
mod stats;
mod subchannel;
mod subchannels;
#[cfg(test)]
mod tests;
mod vigil;

pub use self::{
    builder::ChannelBuilder,
    discovery::{ClusterBuilder, leads_here},
    fallback::Fallback,
};
use crate::Channel;
