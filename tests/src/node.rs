//! The real `polywire-node`, as a process of its own.

mod binary;
mod http;
mod killed;
mod output;
mod recipe;

use std::{path::Path, process::Stdio, time::Duration};

use rustix::process::{Pid, Signal, kill_process};
use serde::Deserialize;
use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt, BufReader, Lines},
    process::{Child, ChildStdout, Command},
    task::JoinHandle,
};

pub use binary::binary;
pub use http::{Page, get};
pub use killed::Killed;
pub use output::{Finished, call, run, run_command, run_with_stdin};

use self::recipe::Recipe;
#[cfg(target_os = "linux")]
use crate::lab::Namespace;
#[cfg(target_os = "linux")]
use crate::patience::eventually;
use crate::patience::within;

/// The line that `serve --json` prints.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Targets {
    /// The node's id.
    pub node_id: String,
    /// The target over gRPC.
    pub grpc: Option<String>,
    /// The target over Iroh.
    pub iroh: Option<String>,
    /// The address of the HTTP side.
    pub http: Option<String>,
    /// The targets over other transports.
    #[serde(flatten)]
    pub others: std::collections::BTreeMap<String, String>,
}

/// A node that serves. Dropped, it is killed and its data are gone.
#[derive(Debug)]
pub struct Node {
    /// Where it is reached.
    pub targets: Targets,
    recipe: Recipe,
    child: Child,
    stdout: Lines<BufReader<ChildStdout>>,
    stderr: JoinHandle<String>,
    data: TempDir,
}

/// How a node ended.
#[derive(Debug)]
pub struct End {
    /// The exit status; `None` after a signal.
    pub code: Option<i32>,
    /// What it said on stdout behind the first line.
    pub stdout: Vec<String>,
    /// Its log.
    pub stderr: String,
    /// How long it took.
    pub took: Duration,
}

/// Every listener on a free port of loopback.
pub const FREE_PORTS: [&str; 2] =
    ["--transport.grpc.bind_address=127.0.0.1:0", "--http.bind_address=127.0.0.1:0"];

impl Node {
    /// Starts a node on free ports, with these flags beside. Its data are in a directory of its own, unless
    /// the flags name one.
    ///
    /// # Panics
    /// When it does not come up.
    pub async fn start(flags: &[&str]) -> Self {
        let flags = FREE_PORTS.iter().chain(flags).copied();
        Self::start_with(Command::new(binary()), flags).await
    }

    /// Starts a node by this command, which runs the binary, with these flags and no others.
    ///
    /// # Panics
    /// When it does not come up.
    pub async fn start_with(command: Command, flags: impl IntoIterator<Item = &str>) -> Self {
        Self::run(command, "serve", flags).await
    }

    /// Starts a node on free ports of this side of a link, with these flags beside. Its targets are for the other
    /// side, whose callers may call everything; this process reaches none of them.
    ///
    /// # Panics
    /// When it does not come up.
    #[cfg(target_os = "linux")]
    pub async fn start_in(side: &Namespace, flags: &[&str]) -> Self {
        let address = side.address();
        let addresses = [
            format!("--transport.grpc.bind_address={address}:0"),
            format!("--transport.iroh.bind_address={address}"),
            format!("--http.bind_address={address}:0"),
            "--insecure".to_owned(),
        ];
        let flags = addresses.iter().map(String::as_str).chain(flags.iter().copied());
        Self::start_with(side.command(binary()), flags).await
    }

    /// Starts a gateway with these arguments. Its data are in a directory of its own, unless they name one.
    ///
    /// # Panics
    /// When it does not come up.
    pub async fn gateway(arguments: impl IntoIterator<Item = &str>) -> Self {
        Self::run(Command::new(binary()), "gateway", arguments).await
    }

    async fn run(mut command: Command, what: &str, flags: impl IntoIterator<Item = &str>) -> Self {
        let data = tempfile::tempdir().expect("a temporary directory");
        let flags = Vec::from_iter(flags);
        command.args([what, "--json"]);
        if !flags.iter().any(|flag| flag.starts_with("--node.data_dir=")) {
            command.arg(format!("--node.data_dir={}", data.path().join("data").display()));
        }
        command.args(flags).current_dir(data.path());
        Self::started(Recipe::of(&command), command, data).await
    }

    async fn started(recipe: Recipe, mut command: Command, data: TempDir) -> Self {
        command.kill_on_drop(true);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the binary runs");
        let stderr = tokio::spawn(output::read_all(child.stderr.take().expect("a pipe")));
        let mut stdout = BufReader::new(child.stdout.take().expect("a pipe")).lines();
        let line = within(stdout.next_line()).await.expect("text");
        let Some(line) = line else {
            let log = stderr.await.expect("text");
            panic!("the node ended with {} before it served:\n{log}", child.wait().await.expect("its end"));
        };
        let targets = serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}"));
        Self { targets, recipe, child, stdout, stderr, data }
    }

    /// The target over gRPC.
    ///
    /// # Panics
    /// When it does not serve gRPC.
    pub fn grpc(&self) -> &str {
        self.targets.grpc.as_deref().expect("a node that serves gRPC")
    }

    /// The target over Iroh.
    ///
    /// # Panics
    /// When it does not serve Iroh.
    pub fn iroh(&self) -> &str {
        self.targets.iroh.as_deref().expect("a node that serves Iroh")
    }

    /// The target over a transport that is off by default.
    ///
    /// # Panics
    /// When it does not serve over it.
    pub fn target(&self, transport: &str) -> &str {
        self.targets.others.get(transport).expect("a node that serves over it")
    }

    /// The host and port of gRPC.
    ///
    /// # Panics
    /// When it does not serve gRPC in plaintext.
    pub fn grpc_address(&self) -> &str {
        self.grpc().strip_prefix("grpc://").expect("plaintext")
    }

    /// What the HTTP side says at this path.
    ///
    /// # Panics
    /// When it says nothing.
    pub async fn get(&self, path: &str) -> Page {
        self.try_get(path, "*/*").await.expect("the HTTP side answers")
    }

    /// What the HTTP side says at this path to a client that accepts this; `None` where it is not there.
    ///
    /// # Panics
    /// When the node has no HTTP side.
    pub async fn try_get(&self, path: &str, accept: &str) -> Option<Page> {
        let base = self.targets.http.as_deref().expect("a node with an HTTP side");
        get(base.strip_prefix("http://").expect("plaintext"), path, accept).await
    }

    /// Its data directory, unless a flag named another.
    pub fn data_dir(&self) -> std::path::PathBuf {
        self.data.path().join("data")
    }

    /// Its working directory.
    pub fn directory(&self) -> &Path {
        self.data.path()
    }

    /// The process id.
    ///
    /// # Panics
    /// When it has ended.
    pub fn pid(&self) -> u32 {
        self.child.id().expect("a running process")
    }

    /// Sends it a signal.
    ///
    /// # Panics
    /// When it has ended.
    pub fn signal(&self, signal: Signal) {
        let pid = i32::try_from(self.pid()).ok().and_then(Pid::from_raw).expect("a process id");
        kill_process(pid, signal).expect("a process of ours");
    }

    /// Stops it, as a machine does that swaps or is suspended: it keeps its connections, and does nothing. Returns once
    /// it stands still.
    ///
    /// # Panics
    /// When it has ended.
    #[cfg(target_os = "linux")]
    pub async fn stop(&self) {
        self.signal(Signal::STOP);
        eventually("it stands still", async || (self.state() == 'T').then_some(())).await;
    }

    /// Lets it go on after [`stop`](Self::stop).
    ///
    /// # Panics
    /// When it has ended.
    pub fn cont(&self) {
        self.signal(Signal::CONT);
    }

    /// The state of the process, as proc_pid_stat(5) has it: the word behind the name, which is in parentheses and may
    /// have some in it.
    #[cfg(target_os = "linux")]
    fn state(&self) -> char {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.pid())).expect("a process");
        let (_, behind) = stat.rsplit_once(") ").expect("a name in parentheses");
        behind.chars().next().expect("a state")
    }

    /// Ends it at once, as a crash does, and waits until it has ended. It can be [started again](Killed::start), if it
    /// is no gateway.
    ///
    /// # Panics
    /// When it has ended.
    pub async fn kill(mut self) -> Killed {
        within(self.child.kill()).await.expect("a process of ours");
        Killed { recipe: self.recipe.on_the_ports_of(&self.targets), data: self.data }
    }

    /// Asks it to end, and waits until it has.
    pub async fn terminate(self) -> End {
        self.signal(Signal::TERM);
        self.ended().await
    }

    /// Waits until it has ended.
    ///
    /// # Panics
    /// When it does not, in time.
    pub async fn ended(mut self) -> End {
        let begun = std::time::Instant::now();
        let status = within(self.child.wait()).await.expect("its end");
        let took = begun.elapsed();
        let mut stdout = Vec::new();
        while let Some(line) = self.stdout.next_line().await.expect("text") {
            stdout.push(line);
        }
        End { code: status.code(), stdout, stderr: self.stderr.await.expect("text"), took }
    }
}
