//! Python's own clients against a node: grpcio, its health checking and reflection, Prometheus's parsers.

use std::{
    collections::hash_map::DefaultHasher,
    fs::File,
    hash::{Hash, Hasher},
    io::{Read, Seek, Write},
    path::{Path, PathBuf},
    process::Command as Blocking,
};

use polywire::{Code, Compression, Metadata, Response, Status};
use polywire_tests::{
    inventory::{GetRequest, Item, Stock},
    node::Node,
    patience::within,
};
use tokio::process::Command;

use crate::{node::health, shop::Shop};

const SCRIPTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/interop/python");

/// An interpreter with the packages of `requirements.txt`. `POLYWIRE_PYTHON` names it, as `./test` does;
/// without, it is made in the target directory when it is first asked for.
fn python() -> PathBuf {
    if let Some(python) = std::env::var_os("POLYWIRE_PYTHON") {
        return python.into();
    }
    let this = std::env::current_exe().unwrap();
    let target = this.ancestors().nth(3).expect("target/PROFILE/deps/TEST").to_owned();
    let requirements = std::fs::read_to_string(Path::new(SCRIPTS).join("requirements.txt")).unwrap();
    let mut hasher = DefaultHasher::new();
    requirements.hash(&mut hasher);
    let wanted = hasher.finish().to_string();
    let path = target.join("python.stamp");
    let mut stamp = File::options().read(true).write(true).create(true).truncate(false).open(path).unwrap();
    // Tests of one run ask at once; the others wait here.
    stamp.lock().unwrap();
    let mut installed = String::new();
    stamp.read_to_string(&mut installed).unwrap();
    let python = target.join("python/bin/python");
    if installed != wanted {
        install(&target.join("python"), &python);
        stamp.set_len(0).and_then(|()| stamp.rewind()).unwrap();
        stamp.write_all(wanted.as_bytes()).unwrap();
    }
    python
}

fn install(environment: &Path, python: &Path) {
    let run = |command: &mut Blocking| {
        let status = command.status().expect("python3 runs");
        assert!(status.success(), "{command:?} failed; on Debian, `apt-get install python3-venv` may help");
    };
    run(Blocking::new("python3").args(["-m", "venv", "--clear"]).arg(environment));
    let requirements = Path::new(SCRIPTS).join("requirements.txt");
    run(Blocking::new(python).args(["-m", "pip", "install", "--quiet", "-r"]).arg(requirements));
}

/// What the scripts expect of `get`, beside an echo.
fn stock() -> Stock {
    let cost = || {
        let mut cost = Metadata::new();
        cost.insert("cost", "3").unwrap();
        cost.insert_bin("cost-bin", vec![3, 0xfe]).unwrap();
        cost
    };
    Stock::new().on_get(move |arrival, request: GetRequest| async move {
        if let Some(number) = request.name.strip_prefix("fail ") {
            let code = Code::from_number(number.parse().unwrap());
            return Err(Status::new(code, "größer % ∞\n").with_details(vec![0, 0xff]).with_metadata(cost()));
        }
        match request.name.as_str() {
            "panic" => panic!("as asked"),
            "wait" => std::future::pending().await,
            "time left" => {
                let seconds = arrival.time_left.map_or(0, |left| left.as_secs());
                Ok(Item::named(seconds.to_string()).into())
            }
            name if name.starts_with("compression ") => {
                let compression = arrival.compression.map_or("none", Compression::name);
                let item = Item::named(name.replacen("compression", compression, 1));
                Ok(Response::new(item).with_compression(Compression::Gzip))
            }
            "echo metadata" => {
                let item = Response::new(Item::default());
                Ok(item.with_metadata(arrival.metadata).with_trailers(cost()))
            }
            _ => Ok(Item::named(request.name).into()),
        }
    })
}

/// Runs one file of tests, each of which must pass.
async fn run(script: &str) {
    let python = tokio::task::spawn_blocking(python).await.unwrap();
    let node = Node::start(&[]).await;
    let shop = Shop::open(stock()).await;
    // Something to count, over each transport.
    for target in [node.grpc(), node.iroh()] {
        health(target, "").await.unwrap();
    }
    let mut command = Command::new(python);
    command.current_dir(SCRIPTS).arg(script).kill_on_drop(true);
    command.env("POLYWIRE_NODE_ADDRESS", node.grpc_address());
    command.env("POLYWIRE_SHOP_ADDRESS", shop.grpc.trim_start_matches("grpc://"));
    command.env("POLYWIRE_METRICS_URL", format!("{}/metrics", node.targets.http.as_deref().unwrap()));
    let output = within(command.output()).await.unwrap();
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && text.contains("\nOK"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn pythons_health_client_is_answered() {
    run("health.py").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn pythons_grpc_calls_mean_what_they_say() {
    run("calls.py").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn pythons_reflection_learns_what_is_served() {
    run("reflection.py").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn prometheus_parses_the_metrics() {
    run("metrics.py").await;
}
