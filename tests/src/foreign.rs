//! Other languages' implementations of gRPC, installed into the target directory when a test first asks for them.

use std::{
    collections::hash_map::DefaultHasher,
    fs::File,
    hash::{Hash, Hasher},
    io::{Read, Seek, Write},
    path::{Path, PathBuf},
    process::{Command, ExitStatus},
};

use crate::skip::skipped;

/// Where the clients and servers in other languages are.
pub const SCRIPTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/interop");

/// A Python interpreter with the packages of `python/requirements.txt`. `POLYWIRE_PYTHON` names another one.
///
/// # Panics
/// When it cannot be installed.
pub fn python() -> PathBuf {
    if let Some(python) = std::env::var_os("POLYWIRE_PYTHON") {
        return python.into();
    }
    let requirements = Path::new(SCRIPTS).join("python/requirements.txt");
    let environment = installed("python", &[&requirements], |environment| {
        let python = environment.join("bin/python");
        run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(environment));
        run(Command::new(python).args(["-m", "pip", "install", "--quiet", "-r"]).arg(&requirements));
        true
    });
    environment.expect("installed or panicked").join("bin/python")
}

/// The directory `node_modules` with the packages of `node/package-lock.json`, for `NODE_PATH`.
///
/// # Panics
/// When they cannot be installed.
pub fn node_modules() -> PathBuf {
    let files = ["node/package.json", "node/package-lock.json"].map(|file| Path::new(SCRIPTS).join(file));
    let directory = installed("node", &[&files[0], &files[1]], |directory| {
        std::fs::create_dir_all(directory).expect("a writable target directory");
        for file in &files {
            let copy = directory.join(file.file_name().expect("a file"));
            std::fs::copy(file, copy).expect("a writable target directory");
        }
        let install = ["ci", "--no-audit", "--no-fund", "--ignore-scripts", "--silent"];
        run(Command::new("npm").args(install).current_dir(directory));
        true
    });
    directory.expect("installed or panicked").join("node_modules")
}

/// The directory with grpc-go's own interoperability `client` and a `server` of its test service; `None` where
/// they cannot be had, which is [said](skipped).
///
/// # Panics
/// When they do not build although all is there, and as [`skipped`].
pub fn go() -> Option<PathBuf> {
    let files = ["go/build.sh", "debian.sh", "go/server.go"].map(|file| Path::new(SCRIPTS).join(file));
    let directory = installed("go", &files.each_ref().map(|file| &**file), |directory| {
        let mut build = Command::new(&files[0]);
        let status = build.arg(directory).status().expect("a shell");
        assert!(status.success() || status.code() == Some(UNAVAILABLE), "{build:?} failed");
        status.success()
    });
    if directory.is_none() {
        skipped("nothing is tested against grpc-go, which cannot be had here");
    }
    directory
}

/// The directory with `prometheus` and `promtool`, of Debian's package.
///
/// # Panics
/// When the package cannot be had.
pub fn prometheus() -> PathBuf {
    let script = Path::new(SCRIPTS).join("prometheus/install.sh");
    let directory = installed("prometheus", &[&script], |directory| {
        run(Command::new(&script).arg(directory));
        true
    });
    directory.expect("installed or panicked").join("usr/bin")
}

/// The exit status of `go/build.sh` where a package cannot be had.
const UNAVAILABLE: i32 = 69;

/// The directory of this name in the target directory, filled by `install` unless it has been from these same
/// files; `None` when `install` says that it could not be.
fn installed(name: &str, files: &[&Path], install: impl FnOnce(&Path) -> bool) -> Option<PathBuf> {
    let this = std::env::current_exe().expect("a path");
    let target = this.ancestors().nth(3).expect("target/PROFILE/deps/TEST");
    let mut hasher = DefaultHasher::new();
    for file in files {
        std::fs::read(file).expect("a file of this repository").hash(&mut hasher);
    }
    let wanted = hasher.finish().to_string();
    let mut stamp = File::options()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(target.join(format!("{name}.stamp")))
        .expect("a writable target directory");
    // Tests of one run ask at once; the others wait here.
    stamp.lock().expect("a file system with locks");
    let mut found = String::new();
    stamp.read_to_string(&mut found).expect("text");
    let directory = target.join(name);
    if found != wanted {
        if !install(&directory) {
            return None;
        }
        stamp.set_len(0).and_then(|()| stamp.rewind()).expect("a writable file");
        stamp.write_all(wanted.as_bytes()).expect("a writable file");
    }
    Some(directory)
}

fn run(command: &mut Command) {
    let succeeded = command.status().as_ref().is_ok_and(ExitStatus::success);
    assert!(succeeded, "{command:?} failed; `./test` says and installs what the tests need");
}
