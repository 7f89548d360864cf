//! How large the numbers of Raft may be, and how far they may leap.

use openraft::LogId;

use super::refusal::Refusal;
use crate::raft::store::CEILING;

/// A vote may be so many terms ahead, 2²⁸: a member that stands for election every 300 ms without ever being heard is so far
/// ahead after two and a half years. A member that leaps in every message needs 2³⁴ of them to reach the ceiling, each of which
/// waits for the disk.
pub(super) const TERM_LEAP: u64 = 1 << 28;

/// A snapshot may be so many entries ahead, 2⁴⁰: a member that is away while a thousand entries are written every second is so
/// far behind after 34 years. Four million such snapshots lead to the ceiling.
pub(super) const INDEX_LEAP: u64 = 1 << 40;

/// So many entries may come in one message. A leader sends 256.
pub(super) const ENTRIES: usize = 1 << 12;

/// So many members a cluster may have, learners among them.
pub(super) const MEMBERS: usize = 1 << 10;

/// # Errors
/// Where a term is too large.
pub(super) fn term(term: u64) -> Result<(), Refusal> {
    match term < CEILING {
        true => Ok(()),
        false => Err(Refusal::malformed(format!("invalid term {term}; expected one below 2^62"))),
    }
}

/// # Errors
/// Where a term or an index is too large.
pub(super) fn place(id: &LogId<u64>) -> Result<(), Refusal> {
    term(id.leader_id.term)?;
    match id.index < CEILING {
        true => Ok(()),
        false => Err(Refusal::malformed(format!("invalid log index {}; expected one below 2^62", id.index))),
    }
}
