use std::{
    path::{Path, PathBuf},
    process::Stdio,
};

use polywire_interop::cases;
use polywire_tests::patience::within;
use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt, BufReader, Lines},
    process::{Child, ChildStdout, Command},
};

/// A server of the test service, which says in a line of JSON where it is. Dropped, it is killed.
pub(crate) struct Server {
    targets: serde_json::Value,
    authority: Option<PathBuf>,
    _child: Child,
    // Open, so that whatever else it prints does not fail it.
    _stdout: Lines<BufReader<ChildStdout>>,
    _directory: TempDir,
}

impl Server {
    /// Ours, with these flags.
    pub(crate) async fn ours(flags: &[&str]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_interop-server"));
        command.args(flags);
        Self::start(command, None).await
    }

    /// Ours, under TLS.
    pub(crate) async fn ours_under_tls() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let authority = directory.path().join("authority.pem");
        let mut command = Command::new(env!("CARGO_BIN_EXE_interop-server"));
        command.args(["--tls", "--ca"]).arg(&authority);
        Self { _directory: directory, ..Self::start(command, Some(authority)).await }
    }

    /// tonic's, with nothing of ours.
    pub(crate) async fn plain_tonic() -> Self {
        Self::start(Command::new(env!("CARGO_BIN_EXE_interop-tonic-server")), None).await
    }

    /// Whatever the command runs.
    pub(crate) async fn start(mut command: Command, authority: Option<PathBuf>) -> Self {
        let directory = tempfile::tempdir().unwrap();
        command.stdin(Stdio::null()).stdout(Stdio::piped()).kill_on_drop(true);
        let mut child = command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}"));
        let mut stdout = BufReader::new(child.stdout.take().unwrap()).lines();
        let line = within(stdout.next_line()).await.unwrap();
        let line = line.unwrap_or_else(|| panic!("{command:?} ended before it served"));
        let targets = serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}"));
        Self { targets, authority, _child: child, _stdout: stdout, _directory: directory }
    }

    /// The target over this transport.
    pub(crate) fn target(&self, transport: &str) -> &str {
        let target = self.targets[transport].as_str();
        target.unwrap_or_else(|| panic!("no target over {transport} in {}", self.targets))
    }

    /// The host and port of gRPC.
    pub(crate) fn address(&self) -> &str {
        self.target("grpc").split_once("://").unwrap().1
    }

    /// The authority that a client must trust; `None` in plaintext.
    pub(crate) fn authority(&self) -> Option<&Path> {
        self.authority.as_deref()
    }

    /// Runs our client against it over this transport; every case but these must pass.
    pub(crate) async fn assert_our_client_passes(&self, transport: &str, except: &[&str]) {
        let mut command = Command::new(env!("CARGO_BIN_EXE_interop-client"));
        if let Some(authority) = &self.authority {
            command.arg("--ca").arg(authority);
        }
        assert_all_pass(command, self.target(transport), except).await;
    }
}

/// Runs our client, as this command has it, against the target; every case but these must pass.
pub(crate) async fn assert_all_pass(mut client: Command, target: &str, except: &[&str]) {
    client.args(["--target", target]);
    if !except.is_empty() {
        client.args(["--except", &except.join(",")]);
    }
    let printed = assert_succeeds(client).await;
    let passed = printed.lines().filter(|line| line.starts_with("ok ")).count();
    assert_eq!(passed, cases::ALL.len() - except.len(), "{printed}");
}

/// Runs the command, which must succeed; what it printed.
pub(crate) async fn assert_succeeds(mut command: Command) -> String {
    let output = within(command.kill_on_drop(true).output()).await.unwrap();
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {}\n{printed}{said}", output.status);
    printed + &said
}
