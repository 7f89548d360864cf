//! What the cross-crate tests share: a demo service whose behaviour each test scripts, one way to reach it
//! over every transport, loopback endpoints, and the real node as a process.

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
pub mod link;
pub mod node;
pub mod patience;
pub mod pki;
#[cfg(target_os = "linux")]
pub mod stall;
