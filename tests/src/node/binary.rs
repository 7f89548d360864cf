use std::{
    fs::File,
    io::{Read, Seek, Write},
    path::{Path, PathBuf},
    process::Command,
    sync::OnceLock,
};

/// The binary. `POLYWIRE_NODE` names it, as `./test` does; without, it is built, once for each run of
/// nextest, with the features that it has beside these tests, so that nothing of what it depends on is built
/// again. (`CARGO_BIN_EXE_polywire-node` is known to tests of the crate `polywire-services` alone.)
///
/// # Panics
/// When it cannot be built.
pub fn binary() -> &'static Path {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(|| match std::env::var_os("POLYWIRE_NODE") {
        Some(path) => PathBuf::from(path),
        None => once_a_run(),
    })
}

/// Builds it unless another process of the same run of nextest has.
fn once_a_run() -> PathBuf {
    let this = std::env::current_exe().expect("a path");
    let profile_directory = this.parent().and_then(Path::parent).expect("target/PROFILE/deps/TEST");
    let binary = profile_directory.join("polywire-node");
    let run = std::env::var("NEXTEST_RUN_ID").unwrap_or_else(|_| format!("process {}", std::process::id()));
    let mut stamp = File::options()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(profile_directory.join("polywire-node.run"))
        .expect("a writable target directory");
    // Held until this returns: the others wait for the build.
    stamp.lock().expect("a file system with locks");
    let mut built_by = String::new();
    stamp.read_to_string(&mut built_by).expect("text");
    if built_by != run {
        build(profile_directory);
        stamp.set_len(0).and_then(|()| stamp.rewind()).expect("a writable file");
        stamp.write_all(run.as_bytes()).expect("a writable file");
    }
    binary
}

fn build(profile_directory: &Path) {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(["build", "--quiet", "-p", "polywire-services", "-p", "polywire-tests"]);
    // With the tests, cargo unites the features of development dependencies too.
    command.args(["--bin", "polywire-node", "--test", "suite", "--target-dir"]);
    command.arg(profile_directory.parent().expect("target/PROFILE"));
    if profile_directory.ends_with("release") {
        command.arg("--release");
    }
    let status = command.current_dir(env!("CARGO_MANIFEST_DIR")).status().expect("cargo runs");
    assert!(status.success(), "polywire-node does not build");
}
