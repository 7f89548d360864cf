//! Each example runs as a process, and prints what its text promises.

// Clippy's leave for tests covers their functions, not those that they share.
#![allow(clippy::unwrap_used)]

use std::process::Stdio;

use polywire_tests::patience::within;
use tokio::process::Command;

/// The lines that the program prints, run in an empty directory.
async fn printed(program: &str) -> Vec<String> {
    let directory = tempfile::tempdir().unwrap();
    let mut command = Command::new(program);
    command.current_dir(&directory).stdin(Stdio::null()).kill_on_drop(true);
    let output = within(command.output()).await.unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program} ended with {}: {errors}", output.status);
    String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect()
}

#[tokio::test]
async fn hello_is_said_in_the_process_over_grpc_and_over_iroh() {
    let lines = printed(env!("CARGO_BIN_EXE_hello")).await;
    assert_eq!(lines, ["in-process", "grpc", "iroh"].map(|over| format!("hello Ada, over {over}")));
}

#[tokio::test]
async fn streams_of_each_shape_arrive_in_order_and_end() {
    let lines = printed(env!("CARGO_BIN_EXE_streaming")).await;
    let expected = [
        "count down: 3",
        "count down: 2",
        "count down: 1",
        "sum: 5050",
        "square of 2: 4",
        "square of 3: 9",
        "square of 4: 16",
        "after the end: None",
    ];
    assert_eq!(lines, expected);
}

#[tokio::test]
async fn a_deadline_ends_the_handler_two_hops_away_and_a_dropped_call_cancels_its_own() {
    let lines = printed(env!("CARGO_BIN_EXE_deadlines")).await;
    let expected = [
        "DEADLINE_EXCEEDED",
        "a handler began, with at most 1 s",
        "the handler of \"two hops\" was dropped",
        "a handler began, with at most 30 s",
        "dropping the call",
        "the handler of \"dropped\" was dropped",
    ];
    assert_eq!(lines, expected);
}

#[tokio::test]
async fn errors_keep_their_details_and_say_whether_the_call_was_processed() {
    let lines = printed(env!("CARGO_BIN_EXE_errors")).await;
    let expected = [
        "INVALID_ARGUMENT: cents: expected more than 0",
        "FAILED_PRECONDITION: the balance is too small, 250 cents are missing",
        "missing: 1",
        "UNAVAILABLE, not processed: true",
    ];
    assert_eq!(lines, expected);
}

#[tokio::test]
async fn layers_refuse_and_add_metadata_and_responses_bring_theirs() {
    let lines = printed(env!("CARGO_BIN_EXE_layers")).await;
    let expected = [
        "UNAUTHENTICATED: expected `authorization: Bearer TOKEN`",
        "board of blue: buy milk",
        "checksum: [ca, fe]",
    ];
    assert_eq!(lines, expected);
}

#[tokio::test]
async fn a_tonic_server_adds_iroh() {
    let lines = printed(env!("CARGO_BIN_EXE_tonic-adds-iroh")).await;
    assert_eq!(lines, ["hello Ada, over grpc", "hello Ada, over iroh"]);
}

#[tokio::test]
async fn an_iroh_application_adds_grpc_beside_its_own_protocol() {
    let lines = printed(env!("CARGO_BIN_EXE_iroh-adds-grpc")).await;
    let expected =
        ["echo", "hello Ada, over iroh, key proved: true", "hello Ada, over grpc, key proved: false"];
    assert_eq!(lines, expected);
}

#[tokio::test]
async fn a_channel_prefers_falls_back_and_shares() {
    let lines = printed(env!("CARGO_BIN_EXE_choosing")).await;
    let (shares, before) = lines.split_last().unwrap();
    let expected = [
        "preferred: iroh",
        "fallback: ws://127.0.0.1:1 does not work",
        "fallback took: grpc",
        "the next call takes grpc",
    ];
    assert_eq!(before, expected);
    let count = |transport: &str| -> u32 {
        let (_, rest) = shares.split_once(&format!("\"{transport}\": ")).unwrap();
        rest.split(|character: char| !character.is_ascii_digit()).next().unwrap().parse().unwrap()
    };
    assert_eq!(count("grpc") + count("iroh"), 400, "{shares}");
    // The share of the calls is exact to within two; the first few may go where a connection is there first.
    assert!((90..=110).contains(&count("iroh")), "{shares}");
}
