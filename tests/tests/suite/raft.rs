//! A cluster of real nodes, each a process of its own, that are really killed.

mod amnesia;
pub(crate) mod cluster;
mod commands;
mod damage;
mod events;
mod full_disk;
mod history;
mod kills;
mod load;
mod membership;
mod paths;
mod python;
mod quorum;
mod snapshots;
mod status;
mod truncated;
