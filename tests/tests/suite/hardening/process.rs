//! What the kernel knows of a process.

use std::{fs, time::Duration};

/// The memory that the process has, in bytes.
pub(crate) fn resident(pid: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    let kibibytes: u64 = line.split_whitespace().nth(1).unwrap().parse().unwrap();
    kibibytes * 1024
}

/// The time that the process has computed for.
pub(super) fn computed(pid: u32) -> Duration {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    // Behind the name, which may hold spaces: user and system time are fields 14 and 15.
    let fields = Vec::from_iter(stat.rsplit_once(')').unwrap().1.split_whitespace());
    let ticks: u64 = fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap();
    // USER_HZ is 100 on every architecture that Linux has.
    Duration::from_millis(ticks * 10)
}

/// How many descriptors it has open.
pub(super) fn descriptors(pid: u32) -> usize {
    fs::read_dir(format!("/proc/{pid}/fd")).unwrap().count()
}
