use std::time::{SystemTime, UNIX_EPOCH};

/// The time in seconds since 1970; 0 on a machine whose clock is before it.
pub fn unix_seconds(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}
