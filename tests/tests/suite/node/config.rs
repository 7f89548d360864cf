use std::fs;

use polywire_tests::node::{binary, run};
use tempfile::TempDir;
use tokio::process::Command;

fn file(text: &str) -> (TempDir, String) {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("node.toml"), text).unwrap();
    (directory, "node.toml".to_owned())
}

#[tokio::test]
async fn a_check_says_of_each_problem_where_it_is_and_what_was_expected() {
    let (directory, name) = file(
        "[transport]\nmode = \"both\"\n\n[transport.grpc]\nbind_adress = \"127.0.0.1:1\"\nmax_message_size = -1\n\n[nonsense]\n",
    );
    let checked = run(directory.path(), &["config", "check", &name]).await;
    assert_eq!(checked.code, 1);
    let lines = Vec::from_iter(checked.stderr.lines());
    for (place, words) in [
        ("node.toml:2:1: transport.mode", "\"dual\""),
        ("node.toml:5:1: transport.grpc.bind_adress", "bind_address"),
        ("node.toml:6:1: transport.grpc.max_message_size", "1"),
        ("node.toml:8:", "nonsense"),
    ] {
        let found = lines.iter().any(|line| line.contains(place) && line.contains(words));
        assert!(found, "{place} … {words}: {}", checked.stderr);
    }
}

#[tokio::test]
async fn contradictions_are_refused_at_start_with_both_keys() {
    let (directory, name) =
        file("[transport.strategy]\nfallback_to_grpc = true\nretired_on_grpc = [\"health\"]\n");
    for command in [["config", "check", &name], ["serve", "--config", &name]] {
        let refused = run(directory.path(), &command).await;
        assert_eq!(refused.code, 1, "{command:?}");
        assert!(refused.stderr.contains("retired_on_grpc"), "{}", refused.stderr);
        assert!(refused.stderr.contains("fallback_to_grpc"), "{}", refused.stderr);
    }
}

#[tokio::test]
async fn what_is_printed_loads_again_to_the_same() {
    let directory = tempfile::tempdir().unwrap();
    let flags = [
        "config",
        "print",
        "--transport.mode=iroh",
        "--node.drain_timeout=3s",
        "--transport.iroh.alpn_protocols=x/health/1,x/kv/2",
    ];
    let printed = run(directory.path(), &flags).await;
    assert_eq!(printed.code, 0, "{}", printed.stderr);
    assert!(printed.stdout.contains("mode = \"iroh\""), "{}", printed.stdout);
    fs::write(directory.path().join("node.toml"), &printed.stdout).unwrap();
    let checked = run(directory.path(), &["config", "check", "node.toml"]).await;
    assert_eq!((checked.code, checked.stdout.trim_end()), (0, "ok"), "{}", checked.stderr);
    let again = run(directory.path(), &["config", "print", "--config", "node.toml"]).await;
    assert_eq!(again.stdout, printed.stdout);
}

#[tokio::test]
async fn flags_win_over_the_environment_and_that_over_the_file() {
    let (directory, name) =
        file("[transport]\nmode = \"grpc\"\n[log]\nfilter = \"file\"\n[node]\ndata_dir = \"file\"\n");
    let mut command = Command::new(binary());
    command.current_dir(directory.path()).args(["config", "print", "--config", &name, "--log.filter=flag"]);
    command.env("POLYWIRE__LOG__FILTER", "environment").env("POLYWIRE__TRANSPORT__MODE", "iroh");
    let output = command.output().await.unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    for line in ["filter = \"flag\"", "mode = \"iroh\"", "data_dir = \"file\""] {
        assert!(text.contains(line), "{line}: {text}");
    }
}

#[tokio::test]
async fn an_unknown_flag_or_variable_is_an_error_that_names_it() {
    let directory = tempfile::tempdir().unwrap();
    let flag = run(directory.path(), &["serve", "--transport.grpc.bind_addres=127.0.0.1:0"]).await;
    assert_eq!(flag.code, 1);
    assert!(flag.stderr.contains("--transport.grpc.bind_addres"), "{}", flag.stderr);
    assert!(flag.stderr.contains("transport.grpc.bind_address"), "{}", flag.stderr);
    let mut command = Command::new(binary());
    command.current_dir(directory.path()).args(["config", "print"]).env("POLYWIRE__TRANSPORT__MODUS", "dual");
    let output = command.output().await.unwrap();
    assert_eq!(output.status.code(), Some(1));
    let text = String::from_utf8(output.stderr).unwrap();
    assert!(text.contains("POLYWIRE__TRANSPORT__MODUS"), "{text}");
}
