//! polywire beside what it stands on and what it stands beside: hand-written tonic, plain iroh and irpc, on
//! loopback, server and client in one process.
//!
//! Absolute numbers are worth little on a machine that does other things too. So every contestant plays in
//! every round, the order changes from round to round, and a ratio is taken within each round before the
//! median over the rounds.

pub mod contest;
pub mod contestant;
pub mod echo;
pub mod load;
pub mod loopback;
pub mod ratio;
pub mod report;
pub mod sample;
pub mod spread;
