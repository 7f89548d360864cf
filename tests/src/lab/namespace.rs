use std::{ffi::OsStr, fs, net::Ipv4Addr, path::Path, sync::OnceLock};

use rustix::process::{Pid, Signal, kill_process};
use tokio::{process::Command, task::JoinHandle};
use tokio_tun::Tun;

use super::{Unavailable, inside::Inside, ip::ip};

/// One side of the link.
#[derive(Debug)]
pub struct Namespace {
    name: String,
    device: String,
    address: Ipv4Addr,
    /// There once it is asked for.
    inside: OnceLock<Inside>,
}

/// What the names of all namespaces begin with, before the process that made it.
const PREFIX: &str = "polywire-";

/// Where ip-netns(8) looks for files of one namespace, which it puts in the place of those in /etc.
const CONFIGURATION: &str = "/etc/netns";

/// How many bytes a packet has at most, which is what Ethernet has.
const MTU: u16 = 1_500;

/// How many packets the kernel keeps until they are forwarded. Not the device is to lose any, but the link, which
/// counts them.
const DEVICE_QUEUE: u16 = 10_000;

impl Namespace {
    pub(super) fn create(token: u32, side: &str, address: Ipv4Addr) -> Result<Self, Unavailable> {
        let name = format!("{PREFIX}{}-{token:08x}-{side}", std::process::id());
        // Names of devices have 15 bytes.
        let device = format!("pw{token:08x}{}", &side[..1]);
        ip(&format!("netns add {name}"))?;
        let this = Self { name, device, address, inside: OnceLock::new() };
        this.ip("link set lo up");
        Ok(this)
    }

    /// A device in it with its address, for the runtime that this is called in.
    pub(super) fn attach(&self) -> Result<Tun, Unavailable> {
        let Self { name, device, address, .. } = self;
        let unavailable = |error| Unavailable::because("no TUN device can be made", error);
        let tun = Tun::builder().name(device).build().map_err(unavailable)?.remove(0);
        furnish(&format!("link set {device} netns {name}"));
        // Without an address of IPv6, nothing is sent that no test has asked for.
        self.ip(&format!("link set {device} addrgenmode none mtu {MTU} txqueuelen {DEVICE_QUEUE}"));
        self.ip(&format!("address add {address}/24 dev {device}"));
        self.ip(&format!("link set {device} up"));
        Ok(tun)
    }

    fn ip(&self, words: &str) {
        furnish(&format!("-netns {} {words}", self.name));
    }

    /// The address of this side.
    pub fn address(&self) -> Ipv4Addr {
        self.address
    }

    /// Its name, for `ip netns`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The name of the device that is its end of the link.
    pub fn device(&self) -> &str {
        &self.device
    }

    /// This program, where it has this side's network and no other. Dropped, the process is killed.
    ///
    /// Its process id is that of the program.
    pub fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.name]).arg(program).kill_on_drop(true);
        command
    }

    /// Gives programs that are run by [`command`](Self::command) from now on this for /etc/hosts, until this is dropped.
    ///
    /// # Panics
    /// When it cannot be written.
    pub fn set_hosts(&self, text: &str) {
        let directory = Path::new(CONFIGURATION).join(&self.name);
        fs::create_dir_all(&directory).and_then(|()| fs::write(directory.join("hosts"), text)).expect("root");
    }

    /// Runs this in a thread that has this side's network and no other. A socket that is made there stays on this
    /// side, wherever it is used.
    ///
    /// # Panics
    /// When the system refuses it, and when what is run panics.
    pub fn run<T: Send>(&self, what: impl FnOnce() -> T + Send) -> T {
        Inside::run(&self.name, what)
    }

    /// Spawns a task where all threads have this side's network, on two threads that are this side's own.
    ///
    /// # Panics
    /// When the system refuses it.
    pub fn spawn<T: Send + 'static>(&self, task: impl Future<Output = T> + Send + 'static) -> JoinHandle<T> {
        self.inside.get_or_init(|| Inside::new(&self.name)).spawn(task)
    }
}

/// Does what must succeed where a namespace and a device could be made: if it does not, something is wrong, and no
/// test may pass for being skipped.
fn furnish(words: &str) {
    ip(words).unwrap_or_else(|error| panic!("a namespace was made, and then: {error}"));
}

impl Drop for Namespace {
    fn drop(&mut self) {
        // Its sockets would keep the namespace.
        drop(self.inside.take());
        remove(&self.name);
    }
}

/// Removes what processes left that had no chance to: they were killed, with their tests.
pub(super) fn sweep() {
    let Ok(names) = ip("netns list") else { return };
    for name in names.lines().filter_map(|line| line.split(' ').next()) {
        let maker = name.strip_prefix(PREFIX).and_then(|rest| rest.split('-').next());
        let is_orphan = maker.is_some_and(|pid| !Path::new("/proc").join(pid).exists());
        if is_orphan {
            remove(name);
        }
    }
}

/// Removes the namespace, after the processes in it, which would keep it.
fn remove(name: &str) {
    let pids = ip(&format!("netns pids {name}")).unwrap_or_default();
    for pid in pids.lines().filter_map(|line| line.parse().ok()).filter_map(Pid::from_raw) {
        // It may have ended meanwhile.
        let _ = kill_process(pid, Signal::KILL);
    }
    // There is none where no test has asked for one.
    let _ = fs::remove_dir_all(Path::new(CONFIGURATION).join(name));
    // Another process's sweep may have been faster.
    let _ = ip(&format!("netns delete {name}"));
}
