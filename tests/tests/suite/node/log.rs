//! What is logged, in which form.

use std::{ffi::OsStr, path::Path, process::Stdio};

use polywire_tests::{
    node::{FREE_PORTS, Finished, Node, binary, run_command},
    patience::within,
};
use tokio::{
    io::{AsyncBufReadExt as _, BufReader},
    process::Command,
};

fn serve(directory: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(binary());
    command.current_dir(directory).arg("serve").args(FREE_PORTS).args(arguments).kill_on_drop(true);
    command.env_remove("RUST_LOG").env_remove("NO_COLOR");
    command
}

/// What a node says from its first line until it has said this.
async fn until(mut command: Command, word: &str) -> String {
    let mut child = command.stderr(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let mut text = String::new();
    while let Some(line) = within(lines.next_line()).await.unwrap() {
        text += &format!("{line}\n");
        if line.contains(word) {
            within(child.kill()).await.unwrap();
            return text;
        }
    }
    panic!("it never said {word}: {text}");
}

#[track_caller]
fn assert_json(text: &str) {
    assert!(text.lines().count() > 0, "nothing was said");
    for line in text.lines() {
        let parsed: Result<serde_json::Value, _> = serde_json::from_str(line);
        assert!(parsed.is_ok_and(|line| line["level"].is_string()), "{line}\n{text}");
    }
}

#[tokio::test]
async fn the_log_is_json_from_the_first_line_wherever_that_is_asked_for() {
    let directory = tempfile::tempdir().unwrap();
    assert_json(&until(serve(directory.path(), &["--log-format", "json"]), "the node listens").await);
    let mut by_variable = serve(directory.path(), &[]);
    by_variable.env("POLYWIRE__LOG__FORMAT", "json");
    assert_json(&until(by_variable, "the node listens").await);
}

#[tokio::test]
async fn why_a_node_does_not_start_is_said_in_the_form_of_the_log() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("node.toml"), "[log]\nformat = 'json'\n[nonsense]\n").unwrap();
    let holder = Node::start(&[]).await;
    let taken = format!("--transport.grpc.bind_address={}", holder.grpc_address());
    let failed = async |command: Command| -> Finished {
        let failed = run_command(command, "").await;
        assert_eq!(failed.code, 1, "{}", failed.stderr);
        failed
    };
    let wrong = failed(serve(directory.path(), &["--log-format=json", "--log.filter=polywire=loud"])).await;
    assert_json(&wrong.stderr);
    assert!(wrong.stderr.contains("log.filter"), "{}", wrong.stderr);
    let by_file = failed(serve(directory.path(), &["--config=node.toml"])).await;
    assert_json(&by_file.stderr);
    assert!(by_file.stderr.contains("nonsense"), "{}", by_file.stderr);
    let mut refused = Command::new(binary());
    refused.current_dir(directory.path()).args(["serve", FREE_PORTS[1], &taken, "--log-format=json"]);
    let refused = failed(refused).await;
    assert_json(&refused.stderr);
    assert!(refused.stderr.contains("transport.grpc.bind_address"), "{}", refused.stderr);
}

#[tokio::test]
async fn a_filter_is_added_to_the_default() {
    let directory = tempfile::tempdir().unwrap();
    let said = async |filter: &str| {
        let filter = format!("--log.filter={filter}");
        until(serve(directory.path(), &["--log-format=json", &filter]), "the node listens").await
    };
    let quiet = said("info,polywire=debug").await;
    assert!(!quiet.contains("\"target\":\"openraft"), "{quiet}");
    let asked = said("openraft=debug").await;
    assert!(asked.contains("\"target\":\"openraft"), "what is asked for is there: {asked}");
    assert!(
        asked.contains("\"level\":\"INFO\",\"message\":\"the node listens\"")
            || asked.contains("the node listens")
    );
}

#[tokio::test]
async fn the_environments_filter_is_taken_with_a_note_unless_the_configuration_has_one() {
    let directory = tempfile::tempdir().unwrap();
    let mut taken = serve(directory.path(), &["--log-format=json"]);
    taken.env("RUST_LOG", "polywire=debug,openraft=debug");
    let taken = until(taken, "the node listens").await;
    assert!(taken.contains("\"level\":\"DEBUG\""), "{taken}");
    assert!(taken.contains("RUST_LOG=polywire=debug,openraft=debug sets the log filter"), "{taken}");
    let mut kept = serve(directory.path(), &["--log-format=json", "--log.filter=info"]);
    kept.env("RUST_LOG", "debug");
    let kept = until(kept, "the node listens").await;
    assert!(!kept.contains("\"level\":\"DEBUG\""), "{kept}");
    assert!(kept.contains("RUST_LOG has no effect: --log.filter sets log.filter"), "{kept}");
}

/// What a node says on a terminal that does not start.
async fn on_a_terminal(no_color: Option<&str>) -> String {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("no directory");
    std::fs::write(&file, "").unwrap();
    let node = format!(
        "'{}' serve --transport.mode=grpc --transport.strategy.prefer_iroh_for=health '--node.data_dir={}'",
        binary().display(),
        file.display(),
    );
    let mut command = Command::new("script");
    command.args(["-qec", &node, "/dev/null"]).current_dir(directory.path()).env_remove("NO_COLOR");
    command.envs(no_color.map(|value| ("NO_COLOR", OsStr::new(value))));
    run_command(command, "").await.stdout
}

#[tokio::test]
async fn no_line_is_coloured_on_a_terminal_whose_user_wants_none() {
    let coloured = on_a_terminal(None).await;
    assert!(coloured.contains("has no effect") && coloured.contains('\u{1b}'), "{coloured:?}");
    let empty = on_a_terminal(Some("")).await;
    assert!(empty.contains('\u{1b}'), "{empty:?}");
    let plain = on_a_terminal(Some("1")).await;
    assert!(plain.contains("has no effect") && !plain.contains('\u{1b}'), "{plain:?}");
}
