//! `polywire-node migration`: whether it is safe to move more of a service's calls from one transport to another.

mod command_line;
mod histogram;
mod proportion;
mod report;
mod survey;
mod traffic;
mod verdict;

pub use command_line::MigrationCommand;
