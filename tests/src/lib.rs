//! What the cross-crate tests share: a demo service whose behaviour each test scripts, ways to a service that are no
//! transport of a node, loopback endpoints, and the real node as a process.

pub mod bearer;
pub mod disk;
pub mod drops;
pub mod endpoint;
pub mod faults;
pub mod foreign;
pub mod http2;
pub mod inventory;
#[cfg(target_os = "linux")]
pub mod lab;
pub mod ledger;
pub mod node;
pub mod patience;
pub mod pki;
pub mod shop;
pub mod skip;
#[cfg(target_os = "linux")]
pub mod stall;
pub mod subjects;

/// The blocks of the guide are examples of this crate's documentation, and are run with them.
#[cfg(doctest)]
#[doc = include_str!("../../EXTENDING.md")]
pub struct Extending;
