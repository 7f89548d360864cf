//! One channel over several transports to a peer, or over the members of a cluster: which of them a call takes, and what
//! becomes of a call that fails there.

mod again;
mod answers;
mod attempts;
mod builder;
#[doc(hidden)]
pub mod directory;
mod discovery;
mod explain;
mod fallback;
mod keeper;
mod order;
mod plan;
pub(crate) mod probe;
mod pulse;
mod scores;
mod shadow;
mod shared;
mod subchannel;
mod subchannels;
mod tally;
#[cfg(test)]
mod tests;
mod vigil;

pub use self::{builder::ChannelBuilder, discovery::ClusterBuilder, fallback::Fallback};
use crate::Channel;
