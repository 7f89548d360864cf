//! polywire beside what it stands on and what it stands beside: hand-written tonic, plain iroh, plain quinn, irpc
//! and tarpc, on loopback, server and client in one process.
//!
//! Absolute numbers are worth little on a machine that does other things too. So every contestant plays in
//! every round, the order changes from round to round, and a ratio is taken within each round before the
//! median over the rounds.

pub mod access;
pub mod arguments;
pub mod choosing;
pub mod cluster;
pub mod contest;
pub mod contestant;
pub mod counted;
pub mod echo;
pub mod figure;
pub mod load;
pub mod loopback;
pub mod measure;
pub mod outcome;
pub mod pattern;
pub mod pki;
pub mod plot;
pub mod report;
pub mod required;
pub mod run;
pub mod sample;
pub mod spread;
pub mod turn;
