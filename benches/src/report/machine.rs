//! Where, when and with what a run was made.

use std::{collections::BTreeMap, fs, time::SystemTime};

use serde::{Deserialize, Serialize};

use crate::contestant::Result;

/// The machine.
#[derive(Clone, Debug, Serialize)]
pub struct Machine {
    /// How many cores this process may use.
    pub cores: usize,
    /// What the processor says it is.
    pub processor: String,
    /// Its memory in MiB.
    pub memory_mib: u64,
    /// The operating system and its release.
    pub kernel: String,
}

/// The run.
#[derive(Clone, Debug, Serialize)]
pub struct Run {
    /// When it began, RFC 3339 in UTC.
    pub date: String,
    /// How often each contestant played.
    pub rounds: usize,
    /// How long each of its turns that are timed took, in seconds.
    pub seconds: f64,
    /// How many processes wanted to run on average in the minute before; several cores' worth of others
    /// make the figures doubtful.
    pub load_average_before: f64,
    /// The same in the last minute of the run, which is in it.
    pub load_average_after: Option<f64>,
    /// Whether the compiler optimised.
    pub optimized: bool,
    /// The compiler.
    pub compiler: &'static str,
    /// Whose versions took part.
    pub versions: BTreeMap<String, String>,
}

/// The crates whose versions a reader asks for.
const CRATES: &[&str] = &[
    "h2",
    "hyper",
    "iroh",
    "irpc",
    "irpc-iroh",
    "noq",
    "polywire",
    "prost",
    "quinn",
    "rustls",
    "tarpc",
    "tokio",
    "tonic",
];

impl Machine {
    /// Reads it from the operating system, as far as that tells.
    ///
    /// # Errors
    /// When it does not say how many cores there are.
    pub fn read() -> Result<Self> {
        let system = rustix::system::uname();
        let text = |text: &std::ffi::CStr| text.to_string_lossy().into_owned();
        let memory = value("/proc/meminfo", "MemTotal").and_then(|text| text.split(' ').next()?.parse().ok());
        Ok(Self {
            cores: std::thread::available_parallelism()?.get(),
            processor: value("/proc/cpuinfo", "model name").unwrap_or_else(|| text(system.machine())),
            memory_mib: memory.unwrap_or(0) / 1024,
            kernel: format!("{} {}", text(system.sysname()), text(system.release())),
        })
    }
}

impl Run {
    /// A run that begins now.
    ///
    /// # Errors
    /// When the lock file that this was built with is not one.
    pub fn begin(rounds: usize, seconds: f64) -> Result<Self> {
        Ok(Self {
            date: humantime::format_rfc3339_seconds(SystemTime::now()).to_string(),
            rounds,
            seconds,
            load_average_before: load_average().unwrap_or(0.0),
            load_average_after: None,
            optimized: !cfg!(debug_assertions),
            compiler: env!("POLYWIRE_BENCHES_RUSTC"),
            versions: versions()?,
        })
    }

    /// It is over.
    pub fn end(&mut self) {
        self.load_average_after = load_average();
    }
}

/// The value of the first line `key : value`.
fn value(file: &str, key: &str) -> Option<String> {
    let text = fs::read_to_string(file).ok()?;
    let mut lines = text.lines().filter_map(|line| line.split_once(':'));
    lines.find(|(name, _)| name.trim() == key).map(|(_, value)| value.trim().to_owned())
}

fn load_average() -> Option<f64> {
    fs::read_to_string("/proc/loadavg").ok()?.split(' ').next()?.parse().ok()
}

#[derive(Deserialize)]
struct Lock {
    package: Vec<Package>,
}

#[derive(Deserialize)]
struct Package {
    name: String,
    version: String,
}

fn versions() -> Result<BTreeMap<String, String>> {
    let lock: Lock = toml::from_str(include_str!("../../../Cargo.lock"))?;
    let named = lock.package.into_iter().filter(|package| CRATES.contains(&&*package.name));
    Ok(named.map(|package| (package.name, package.version)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_crate_that_is_named_has_a_version() {
        let versions = versions().unwrap();
        assert_eq!(versions.keys().collect::<Vec<_>>(), CRATES.iter().collect::<Vec<_>>());
    }

    #[test]
    fn the_machine_is_read_from_the_system() {
        let machine = Machine::read().unwrap();
        assert!(machine.cores > 0 && machine.memory_mib > 0, "{machine:?}");
        assert!(!machine.processor.is_empty() && machine.kernel.len() > 3, "{machine:?}");
    }
}
