//! A cluster of real nodes, each a process of its own, that are really killed.

mod amnesia;
pub(crate) mod cluster;
mod commands;
mod copies;
mod damage;
mod events;
mod full_disk;
mod history;
mod interrupted;
mod kills;
mod load;
mod membership;
mod paths;
mod python;
mod quorum;
mod restarts;
mod rule;
mod snapshots;
mod status;
mod truncated;
