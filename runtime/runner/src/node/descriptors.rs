//! The file descriptors of the process.

use polywire_core::__runner::Descriptors;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// What there is for connections now, with everything open that the node keeps open.
pub(super) fn of_process() -> Descriptors {
    let limit = getrlimit(Resource::Nofile).current.and_then(|limit| usize::try_from(limit).ok());
    Descriptors::within(limit, open())
}

/// Raises the number of descriptors that this process may have as far as it may: the soft limit of 1,024 is for programs
/// that use select(2) (<https://0pointer.net/blog/file-descriptor-limits.html>).
pub(crate) fn raise_limit() {
    let limit = getrlimit(Resource::Nofile);
    if limit.current != limit.maximum {
        // Where it is refused, the one that there is holds.
        let _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit });
    }
}

/// How many descriptors the process has open.
fn open() -> usize {
    /// About what a node has that serves no connection, where the system cannot be asked.
    const USUAL: usize = 48;
    std::fs::read_dir("/proc/self/fd").map_or(USUAL, Iterator::count)
}
