use std::{
    ffi::{OsStr, OsString},
    fs,
    os::unix::ffi::{OsStrExt as _, OsStringExt as _},
};

use polywire_tests::node::{Finished, binary, run, run_command};
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
async fn a_check_warns_of_a_short_name_that_no_service_of_the_node_has() {
    let (directory, name) = file("[transport.strategy.shift]\nhealht = 0.5\nhealth = 0.5\nshop = 0.5\n");
    let checked = run(directory.path(), &["config", "check", &name]).await;
    assert_eq!((checked.code, checked.stdout.trim_end()), (0, "ok"), "{}", checked.stderr);
    let lines = Vec::from_iter(checked.stderr.lines());
    assert_eq!(lines.len(), 2, "{}", checked.stderr);
    let expected =
        "warning: node.toml:2:1: transport.strategy.shift.healht: no service of this node has the short name";
    assert!(lines[0].starts_with(expected), "{}", lines[0]);
    assert!(lines[0].ends_with("did you mean \"health\"?"), "{}", lines[0]);
    assert!(lines[1].contains("\"shop\"") && !lines[1].contains("did you mean"), "{}", lines[1]);
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
    assert_eq!(flag.code, 2, "the command line is wrong");
    assert!(flag.stderr.contains("--transport.grpc.bind_addres"), "{}", flag.stderr);
    assert!(flag.stderr.contains("transport.grpc.bind_address"), "{}", flag.stderr);
    let mut command = Command::new(binary());
    command.current_dir(directory.path()).args(["config", "print"]).env("POLYWIRE__TRANSPORT__MODUS", "dual");
    let output = command.output().await.unwrap();
    assert_eq!(output.status.code(), Some(1));
    let text = String::from_utf8(output.stderr).unwrap();
    assert!(text.contains("POLYWIRE__TRANSPORT__MODUS"), "{text}");
}

/// The node's command with these arguments and variables, in this directory.
async fn with_variables(directory: &TempDir, arguments: &[&OsStr], variables: &[(&str, &OsStr)]) -> Finished {
    let mut command = Command::new(binary());
    command.current_dir(directory.path()).args(arguments).envs(variables.iter().copied());
    run_command(command, "").await
}

fn names(directory: &TempDir) -> Vec<OsString> {
    fs::read_dir(directory.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect()
}

#[tokio::test]
async fn a_path_that_is_not_unicode_is_used_as_it_is() {
    let odd = OsStr::from_bytes(b"env\xff");
    let variable = tempfile::tempdir().unwrap();
    let made = with_variables(&variable, &["id".as_ref()], &[("POLYWIRE__NODE__DATA_DIR", odd)]).await;
    assert_eq!((made.code, names(&variable)), (0, vec![odd.to_owned()]), "{}", made.stderr);

    let joined = OsString::from_vec([b"--node.data_dir=".as_slice(), odd.as_bytes()].concat());
    for flag in [vec![joined.as_os_str()], vec!["--node.data_dir".as_ref(), odd]] {
        let directory = tempfile::tempdir().unwrap();
        let arguments = [vec!["id".as_ref()], flag].concat();
        let made = with_variables(&directory, &arguments, &[]).await;
        assert_eq!((made.code, names(&directory)), (0, vec![odd.to_owned()]), "{}", made.stderr);
    }

    let print: [&OsStr; 2] = ["config".as_ref(), "print".as_ref()];
    let printed = with_variables(&variable, &print, &[("POLYWIRE__NODE__DATA_DIR", odd)]).await;
    assert_eq!(printed.code, 0, "{}", printed.stderr);
    fs::write(variable.path().join("node.toml"), printed.stdout).unwrap();
    let again = run(variable.path(), &["id", "--config", "node.toml"]).await;
    assert_eq!((again.code, again.stdout), (0, made.stdout), "{}", again.stderr);
}

#[tokio::test]
async fn another_value_that_is_not_unicode_is_an_error_that_names_its_variable_or_flag() {
    let odd = OsStr::from_bytes(b"info\xff");
    let directory = tempfile::tempdir().unwrap();
    let print: [&OsStr; 2] = ["config".as_ref(), "print".as_ref()];
    let refused = with_variables(&directory, &print, &[("POLYWIRE__LOG__FILTER", odd)]).await;
    assert_eq!(refused.code, 1);
    let expected = "POLYWIRE__LOG__FILTER: log.filter: invalid Unicode; expected text";
    assert!(refused.stderr.contains(expected), "{}", refused.stderr);
    let arguments = [print.as_slice(), &["--transport.mode".as_ref(), odd]].concat();
    let refused = with_variables(&directory, &arguments, &[]).await;
    assert_eq!(refused.code, 1);
    let expected = "--transport.mode: transport.mode: invalid Unicode; expected \"grpc\"";
    assert!(refused.stderr.contains(expected), "{}", refused.stderr);
}

#[tokio::test]
async fn a_list_is_given_element_by_element_and_a_wrong_one_is_named_by_what_said_it() {
    let directory = tempfile::tempdir().unwrap();
    let print: [&OsStr; 2] = ["config".as_ref(), "print".as_ref()];
    let variables: [(&str, &OsStr); 2] = [
        ("POLYWIRE__CLUSTER__PEERS__1", "grpc://127.0.0.1:2".as_ref()),
        ("POLYWIRE__CLUSTER__PEERS__0", "grpc://127.0.0.1:1".as_ref()),
    ];
    let printed = with_variables(&directory, &print, &variables).await;
    let expected = "peers = [\"grpc://127.0.0.1:1\", \"grpc://127.0.0.1:2\"]";
    assert!(printed.stdout.contains(expected), "{}{}", printed.stdout, printed.stderr);

    let wrong =
        with_variables(&directory, &print, &[("POLYWIRE__CLUSTER__PEERS__0", "pigeon".as_ref())]).await;
    assert_eq!(wrong.code, 1);
    let named = "POLYWIRE__CLUSTER__PEERS__0: cluster.peers[0]: expected a target";
    assert!(wrong.stderr.contains(named), "{}", wrong.stderr);
    let below = run(directory.path(), &["config", "print", "--transport.mode.x=1"]).await;
    assert_eq!(below.code, 1);
    let named = "--transport.mode.x: transport.mode: expected \"grpc\"";
    assert!(below.stderr.contains(named), "{}", below.stderr);
}
