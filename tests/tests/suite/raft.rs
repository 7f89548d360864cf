//! A cluster of real nodes, each a process of its own, that are really killed.

mod cluster;
mod damage;
mod history;
mod kills;
mod membership;
mod paths;
mod status;
