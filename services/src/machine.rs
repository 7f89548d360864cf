//! The machine that the node runs on, and the node's own process.

use std::{fmt, path::Path, time::Duration};

use polywire::node::DiskSpace;
use polywire_proto::monitoring::v1;
use sysinfo::{
    CpuRefreshKind, Error, MINIMUM_CPU_UPDATE_INTERVAL, MemoryRefreshKind, Networks, Pid, ProcessRefreshKind,
    ProcessesToUpdate, RefreshKind, System,
};
use tokio::time::Instant;

/// Reads the machine. Every reading blocks.
pub(crate) struct Machine {
    system: System,
    pid: Pid,
    /// When the processors were read last: shares cover the time since then.
    looked: Option<Instant>,
}

impl Machine {
    /// # Errors
    /// When the system information is unavailable.
    pub(crate) fn new() -> Result<Self, Error> {
        let system = System::new_with_specifics(
            RefreshKind::nothing().with_memory(MemoryRefreshKind::nothing().with_ram()),
        )?;
        Ok(Self { system, pid: sysinfo::get_current_pid()?, looked: None })
    }

    /// Everything, with the file system of this directory.
    ///
    /// # Errors
    /// When one of them is unavailable.
    pub(crate) fn info(&mut self, data_dir: &Path) -> Result<v1::SystemInfo, Error> {
        let process = self.process();
        let networks = Networks::new_with_refreshed_list()?;
        let sum = |count: fn(&sysinfo::NetworkData) -> u64| networks.values().map(count).sum();
        Ok(v1::SystemInfo {
            host_name: System::host_name()?,
            operating_system: System::long_os_version()?,
            processors: u32::try_from(self.system.cpus().len()).unwrap_or(u32::MAX),
            cpu_percent: self.cpu_percent(),
            memory_total_bytes: self.system.total_memory(),
            memory_used_bytes: self.memory_used(),
            load_average: System::load_average()?.one,
            uptime_seconds: System::uptime()?,
            data_disk: disk(data_dir),
            network: Some(v1::Network {
                received_bytes: sum(sysinfo::NetworkData::total_received),
                sent_bytes: sum(sysinfo::NetworkData::total_transmitted),
            }),
            process: Some(process),
        })
    }

    /// The node's own process, and how busy the processors are.
    pub(crate) fn process(&mut self) -> v1::Process {
        self.look();
        let Some(process) = self.system.process(self.pid) else {
            return v1::Process { pid: std::process::id(), ..v1::Process::default() };
        };
        v1::Process {
            pid: self.pid.as_u32(),
            resident_bytes: process.memory(),
            open_files: process.open_files().and_then(|count| u64::try_from(count).ok()),
            max_open_files: process.open_files_limit().and_then(|count| u64::try_from(count).ok()),
            uptime_seconds: process.run_time(),
            cpu_percent: f64::from(process.cpu_usage()),
        }
    }

    pub(crate) fn cpu_percent(&self) -> f64 {
        f64::from(self.system.global_cpu_usage())
    }

    pub(crate) fn memory_used(&mut self) -> u64 {
        self.system.refresh_memory_specifics(MemoryRefreshKind::nothing().with_ram());
        self.system.used_memory()
    }

    /// Reads the processors; twice at first, because a share covers the time between two readings.
    fn look(&mut self) {
        let first = self.looked.is_none();
        if self.looked.is_some_and(|at| at.elapsed() < MINIMUM_CPU_UPDATE_INTERVAL) {
            return;
        }
        self.refresh();
        if first {
            std::thread::sleep(MINIMUM_CPU_UPDATE_INTERVAL + Duration::from_millis(1));
            self.refresh();
        }
        self.looked = Some(Instant::now());
    }

    fn refresh(&mut self) {
        self.system.refresh_cpu_specifics(CpuRefreshKind::nothing().with_usage());
        let what = ProcessRefreshKind::nothing().with_cpu().with_memory();
        self.system.refresh_processes_specifics(ProcessesToUpdate::Some(&[self.pid]), false, what);
    }
}

/// The file system that this directory is on.
fn disk(directory: &Path) -> Option<v1::Disk> {
    let DiskSpace { total_bytes, available_bytes } = DiskSpace::of(directory).ok()?;
    Some(v1::Disk { total_bytes, available_bytes })
}

impl fmt::Debug for Machine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Machine").field("pid", &self.pid).finish_non_exhaustive()
    }
}
