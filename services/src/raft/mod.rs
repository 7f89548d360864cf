//! A real Raft cluster, by annotation: consensus is `openraft`, its storage is `redb` in the data directory, and its
//! network is a service like any other.

mod command;
mod config;
mod member;
pub mod store;

pub use command::{Command, Outcome};
pub use config::TypeConfig;
pub use member::Member;
