//! The file descriptors of the process.

use polywire_core::__runner::Descriptors;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// The free descriptors for connections, once the node has opened its permanent ones.
pub(super) fn of_process() -> Descriptors {
    let limit = getrlimit(Resource::Nofile).current.and_then(|limit| usize::try_from(limit).ok());
    Descriptors::within(limit, open())
}

/// Raises the process's limit of descriptors to the hard limit. The usual soft limit of 1,024 exists for programs that use
/// select(2) (<https://0pointer.net/blog/file-descriptor-limits.html>).
pub(crate) fn raise_limit() {
    let limit = getrlimit(Resource::Nofile);
    if limit.current != limit.maximum {
        // If it fails, the current limit applies.
        let _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit });
    }
}

/// The number of open descriptors of the process.
fn open() -> usize {
    /// An estimate for an idle node, if the system does not report the number.
    const USUAL: usize = 48;
    std::fs::read_dir("/proc/self/fd").map_or(USUAL, Iterator::count)
}
