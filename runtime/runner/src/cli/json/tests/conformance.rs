//! protobuf's own conformance tests of JSON, in and out, required and recommended: its runner gives messages to a program,
//! which is this test under another name.

use std::{
    fs::{self, File},
    io::{Read, Write},
    path::{Path, PathBuf},
    process::Command,
};

use prost::Message as _;
use prost_reflect::{DescriptorPool, DynamicMessage};
use protox::{
    Compiler,
    file::{ChainFileResolver, GoogleFileResolver, IncludeFileResolver},
};

use super::*;

/// What the runner sends, of `conformance.proto`.
#[derive(Clone, PartialEq, prost::Message)]
struct Request {
    #[prost(bytes = "vec", optional, tag = "1")]
    protobuf: Option<Vec<u8>>,
    #[prost(string, optional, tag = "2")]
    json: Option<String>,
    #[prost(int32, tag = "3")]
    wanted: i32,
    #[prost(string, tag = "4")]
    message_type: String,
    #[prost(int32, tag = "5")]
    category: i32,
}

/// What it is answered with.
#[derive(Clone, PartialEq, prost::Oneof)]
enum Outcome {
    #[prost(string, tag = "1")]
    ParseError(String),
    #[prost(bytes = "vec", tag = "3")]
    Protobuf(Vec<u8>),
    #[prost(string, tag = "4")]
    Json(String),
    #[prost(string, tag = "5")]
    Skipped(String),
    #[prost(string, tag = "6")]
    SerializeError(String),
}

#[derive(Clone, PartialEq, prost::Message)]
struct Response {
    #[prost(oneof = "Outcome", tags = "1, 3, 4, 5, 6")]
    outcome: Option<Outcome>,
}

/// `WireFormat.PROTOBUF` and `WireFormat.JSON`.
const PROTOBUF: i32 = 1;
const JSON: i32 = 2;
/// `TestCategory.JSON_TEST`.
const JSON_TEST: i32 = 2;

/// Where the test that is the runner's program finds the files of its messages.
const PROTOS: &str = "POLYWIRE_CONFORMANCE_PROTOS";
/// The name of that test.
const PROGRAM: &str = "cli::json::tests::conformance::the_program_that_the_runner_runs";
/// The exit status of `build.sh` where a package cannot be had.
const UNAVAILABLE: i32 = 69;

#[test]
fn protobufs_own_conformance_tests_of_json_pass() {
    let Some(directory) = runner() else {
        let required = std::env::var_os("POLYWIRE_REQUIRE_LAB").is_some_and(|value| value == "1");
        assert!(
            !required,
            "POLYWIRE_REQUIRE_LAB is 1, and protobuf's own conformance tests cannot be had here"
        );
        eprintln!("SKIPPED: protobuf's own conformance tests cannot be had here");
        return;
    };
    let scratch = tempfile::tempdir().unwrap();
    // The runner's pipe is the program's stdout, on which the harness of the tests would speak.
    let program = scratch.path().join("program");
    let this = std::env::current_exe().unwrap();
    let text = format!(
        "#!/bin/sh\nexec 3>&1 >/dev/null\nexport {PROTOS}='{}'\nexec '{}' --exact {PROGRAM} --ignored --nocapture\n",
        directory.join("protos").display(),
        this.display(),
    );
    fs::write(&program, text).unwrap();
    fs::set_permissions(&program, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let mut runner = Command::new(directory.join("runner"));
    runner.arg("--enforce_recommended").arg(program);
    let output = runner.current_dir(scratch.path()).output().unwrap();
    let told = String::from_utf8_lossy(&output.stderr) + String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{told}");
    // Its first suite is that of the binary format and JSON: so many of its tests were run, and not skipped.
    let successes = told.lines().find_map(|line| {
        line.strip_prefix("CONFORMANCE SUITE PASSED: ")?.split(' ').next()?.parse::<u32>().ok()
    });
    assert!(successes.is_some_and(|successes| successes >= 400), "{told}");
}

/// The directory with the runner and the files of its messages; `None` where they cannot be had.
fn runner() -> Option<PathBuf> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/interop/protobuf/build.sh");
    let directory = std::env::current_exe().unwrap().ancestors().nth(3)?.join("protobuf-conformance");
    if !script.exists() {
        return None;
    }
    fs::create_dir_all(&directory).unwrap();
    let lock = File::options().create(true).truncate(false).write(true).open(directory.join("lock")).unwrap();
    lock.lock().unwrap();
    let shared = script.with_file_name("../debian.sh");
    let wanted = [&script, &shared].map(|file| fs::read(file).unwrap()).concat();
    let stamp = directory.join("stamp");
    if fs::read(&stamp).ok().as_ref() != Some(&wanted) {
        let status = Command::new(&script).arg(&directory).status().unwrap();
        if status.code() == Some(UNAVAILABLE) {
            return None;
        }
        assert!(status.success(), "{} failed", script.display());
        fs::write(&stamp, wanted).unwrap();
    }
    Some(directory)
}

#[test]
#[ignore = "the runner of the conformance tests runs it, and nothing else can"]
fn the_program_that_the_runner_runs() {
    let protos = std::env::var_os(PROTOS).expect("the runner's environment");
    let pool = pool(Path::new(&protos));
    let mut answers = File::options().write(true).open("/dev/fd/3").unwrap();
    let mut questions = std::io::stdin().lock();
    let mut length = [0; 4];
    while questions.read_exact(&mut length).is_ok() {
        let mut request = vec![0; u32::from_le_bytes(length) as usize];
        questions.read_exact(&mut request).unwrap();
        let outcome = answer(&pool, &Request::decode(&*request).unwrap());
        let response = Response { outcome: Some(outcome) }.encode_to_vec();
        let length = u32::try_from(response.len()).unwrap().to_le_bytes();
        answers.write_all(&[&length[..], &response].concat()).unwrap();
    }
}

fn pool(protos: &Path) -> DescriptorPool {
    let mut resolver = ChainFileResolver::new();
    resolver.add(IncludeFileResolver::new(protos.to_owned()));
    resolver.add(GoogleFileResolver::new());
    let mut compiler = Compiler::with_file_resolver(resolver);
    let files = ["proto3", "proto2"].map(|syntax| format!("google/protobuf/test_messages_{syntax}.proto"));
    compiler.include_imports(true).open_files(files).unwrap();
    compiler.descriptor_pool()
}

fn answer(pool: &DescriptorPool, request: &Request) -> Outcome {
    if request.message_type == "conformance.FailureSet" {
        // Which failures are expected: none by itself.
        return Outcome::Protobuf(Vec::new());
    }
    let Some(descriptor) = pool.get_message_by_name(&request.message_type) else {
        return Outcome::Skipped(format!("{} is not known", request.message_type));
    };
    if request.category != JSON_TEST {
        return Outcome::Skipped(
            "not the mapping of JSON, or not that of a tool which says what it does not know".to_owned(),
        );
    }
    let types = Types::of([pool.clone(), DescriptorPool::global()]);
    let message = match (&request.protobuf, &request.json) {
        (Some(bytes), _) => {
            DynamicMessage::decode(descriptor, bytes.as_slice()).map_err(|error| error.to_string())
        }
        (_, Some(text)) => {
            let mut json = serde_json::Deserializer::from_str(text);
            let read = read(&mut json, &descriptor, &types);
            read.and_then(|message| json.end().map(|()| message)).map_err(|error| error.to_string())
        }
        _ => return Outcome::Skipped("another format".to_owned()),
    };
    match (message, request.wanted) {
        (Err(error), _) => Outcome::ParseError(error),
        (Ok(message), PROTOBUF) => Outcome::Protobuf(message.encode_to_vec()),
        (Ok(message), JSON) => {
            let shown = write(&message, &types);
            // What has no JSON is a failure to the suite; people are shown what there is.
            match shown.notes.into_iter().next() {
                Some(note) => Outcome::SerializeError(note),
                None => Outcome::Json(shown.json),
            }
        }
        (Ok(_), _) => Outcome::Skipped("another format".to_owned()),
    }
}
