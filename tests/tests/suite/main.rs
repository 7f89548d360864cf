//! What crosses crates, in one binary: linking one that has iroh and tonic in it takes longer than most of
//! its tests.

mod adapters;
mod equivalence;
mod hardening;
mod iroh_transport;
mod node;
mod python;
mod shop;

