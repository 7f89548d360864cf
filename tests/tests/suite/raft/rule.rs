//! The transport that Raft takes, changed while the members run.

use std::path::Path;

use polywire_tests::patience::eventually;
use rustix::process::Signal;

use super::{
    cluster::Cluster,
    kills::{Carried, carried},
    load::put_anyhow,
};

fn write(file: &Path, raft_transport: &str) {
    let text = format!("[transport.strategy]\nraft_transport = \"{raft_transport}\"\n");
    // Whole at once, for the nodes look at it.
    let unfinished = file.with_extension("new");
    std::fs::write(&unfinished, text).unwrap();
    std::fs::rename(&unfinished, file).unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn raft_takes_the_transport_that_the_configuration_says_from_a_sighup_on() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("node.toml");
    write(&file, "always_grpc");
    let config = format!("--config={}", file.display());
    let cluster = Cluster::start(&[&config]).await;
    put_anyhow(&cluster.ways, "a", "1").await;
    let before = carried(&cluster).await;
    assert!(before.grpc > 0.0 && before.iroh == 0.0, "{before:?}");

    for (raft_transport, taken, left) in
        [("always_iroh", iroh as Reading, grpc as Reading), ("always_grpc", grpc, iroh)]
    {
        write(&file, raft_transport);
        for place in 0..3 {
            cluster.node(place).signal(Signal::HUP);
        }
        put_anyhow(&cluster.ways, raft_transport, "1").await;
        eventually("Raft takes the other transport alone", async || {
            let before = carried(&cluster).await;
            put_anyhow(&cluster.ways, "b", "1").await;
            let after = carried(&cluster).await;
            (taken(&after) > taken(&before) && left(&after) == left(&before)).then_some(())
        })
        .await;
    }
}

type Reading = fn(&Carried) -> f64;

fn grpc(carried: &Carried) -> f64 {
    carried.grpc
}

fn iroh(carried: &Carried) -> f64 {
    carried.iroh
}
