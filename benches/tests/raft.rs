//! The smallest run of the clusters.

use clap::Parser;
use polywire_benches::cluster::{Arguments, hold};
use tempfile::TempDir;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_network_is_measured_under_each_load() {
    let directory = TempDir::new().unwrap();
    let arguments = Arguments::parse_from(["raft", "--rounds=1", "--seconds=0.02", "--in-flight=1,4"]);
    let report = hold(&arguments, directory.path().to_owned()).await.unwrap();
    let rows: Vec<_> = report.rows.iter().map(|row| (row.in_flight, row.network)).collect();
    assert_eq!(rows, [(1, "none"), (1, "gRPC"), (1, "Iroh"), (4, "none"), (4, "gRPC"), (4, "Iroh")]);
    for row in &report.rows {
        assert!(row.rate.median > 0.0 && row.p50.median > 0.0 && row.p99.median >= row.p50.median, "{row:?}");
        assert!((row.to_ceiling.median == 1.0) == (row.network == "none"), "{row:?}");
    }
    let told = report.to_string();
    assert!(report.rows.iter().all(|row| told.contains(row.network)), "{told}");
}

#[tokio::test]
async fn what_cannot_be_measured_is_an_error() {
    let directory = TempDir::new().unwrap();
    let hold = async |argument| {
        let arguments = Arguments::parse_from(["raft", argument]);
        hold(&arguments, directory.path().to_owned()).await.unwrap_err().to_string()
    };
    assert!(hold("--rounds=0").await.contains("at least 1"));
    assert!(hold("--data=/nowhere/at/all").await.contains("/nowhere/at/all"));
}
