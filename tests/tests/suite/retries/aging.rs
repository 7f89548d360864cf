//! grpcio's server, which ends its connections all the time.

use std::{
    process::Stdio,
    time::{Duration, Instant},
};

use polywire::{Status, Streaming};
use polywire_tests::{
    foreign::{SCRIPTS, python},
    inventory::{GetRequest, InventoryClient, Item},
    patience::within,
};
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::{Child, Command},
    task::JoinSet,
};

use crate::{gateway::from_grpc, node::connect};

/// grpcio's server; dropped, it is killed.
pub(crate) struct Grpcio {
    pub(crate) target: String,
    _child: Child,
}

impl Grpcio {
    /// With these options of grpcio.
    pub(crate) async fn start(options: &[&str]) -> Self {
        let mut command = Command::new(tokio::task::spawn_blocking(python).await.unwrap());
        command.current_dir(format!("{SCRIPTS}/python")).arg("bytes_server.py").args(options);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).kill_on_drop(true);
        let mut child = command.spawn().unwrap();
        let mut stdout = BufReader::new(child.stdout.take().unwrap()).lines();
        let line = within(stdout.next_line()).await.unwrap().expect("a server that serves");
        let targets: serde_json::Value = serde_json::from_str(&line).unwrap();
        Self { target: targets["grpc"].as_str().unwrap().to_owned(), _child: child }
    }
}

/// How long calls are made, in which the server ends some twenty connections.
const LONG: Duration = Duration::from_secs(3);

/// How many callers call at once.
const CALLERS: usize = 4;

/// How many calls were made, and what was said of those that failed and are not said to have been executed, maybe.
#[derive(Default)]
struct Told {
    calls: usize,
    failed: Vec<Status>,
}

async fn call_on(client: InventoryClient, shape: usize) -> Told {
    let mut told = Told::default();
    let begun = Instant::now();
    while begun.elapsed() < LONG {
        let outcome = within(call(&client, shape)).await;
        told.calls += 1;
        let maybe = |status: &Status| status.message().ends_with("the call may have been executed");
        told.failed.extend(outcome.err().filter(|status| !maybe(status)));
    }
    told
}

async fn call(client: &InventoryClient, shape: usize) -> Result<(), Status> {
    let items = || Streaming::from_iter(["a", "b", "c"].map(Item::named));
    match shape {
        0 => assert_eq!(client.import(items()).await?.names, ["a", "b", "c"]),
        1 => {
            let mut echoes = client.sync(items()).await?;
            let mut names = Vec::new();
            while let Some(item) = echoes.message().await? {
                names.push(item.name);
            }
            assert_eq!(names, ["a", "b", "c"]);
        }
        _ => assert_eq!(client.get(GetRequest::named("anvil")).await?.name, "anvil"),
    }
    Ok(())
}

async fn assert_all_succeed(target: &str) {
    let client = InventoryClient::new(connect(target).await);
    for shape in 0..3 {
        let mut callers = JoinSet::new();
        for _ in 0..CALLERS {
            callers.spawn(call_on(client.clone(), shape));
        }
        let told = callers.join_all().await;
        let calls: usize = told.iter().map(|told| told.calls).sum();
        let failed: Vec<_> = told.iter().flat_map(|told| &told.failed).collect();
        println!("shape {shape}: {calls} calls, {} failed", failed.len());
        assert!(calls >= 100, "{calls} calls were made");
        assert!(failed.is_empty(), "{} of {calls} of shape {shape} failed: {:?}", failed.len(), failed[0]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_to_a_server_that_ends_its_connections_all_the_time_succeed_in_every_shape() {
    let server = Grpcio::start(&["grpc.max_connection_age_ms=150"]).await;
    assert_all_succeed(&server.target).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_through_a_gateway_to_a_server_that_ends_its_connections_all_the_time_succeed() {
    let server = Grpcio::start(&["grpc.max_connection_age_ms=150"]).await;
    let gateway = from_grpc(&server.target).await;
    assert_all_succeed(gateway.grpc()).await;
}
