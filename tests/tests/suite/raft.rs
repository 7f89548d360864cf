//! A cluster of real nodes, each a process of its own, that are really killed.

mod amnesia;
pub(crate) mod cluster;
mod commands;
mod copies;
mod damage;
mod events;
mod forged;
mod full_disk;
mod history;
mod interrupted;
mod invitations;
mod kills;
mod load;
mod membership;
mod paths;
mod python;
mod quorum;
mod reelection;
mod restarts;
mod rule;
mod snapshots;
mod status;
mod strangers;
mod tls;
mod truncated;
