use std::os::unix::ffi::OsStringExt as _;

use super::*;
use crate::cli::{
    args::{Asked, Command as BuiltIn, ConfigCommand, parse},
    build::Build,
};

const BUILD: Build = Build { name: "node", version: "1.2.3", commit: None };

fn parsed(arguments: impl IntoIterator<Item = impl Into<OsString>>) -> Result<(BuiltIn, Flags), Failure> {
    let arguments = std::iter::once("node".into()).chain(arguments.into_iter().map(Into::into));
    match parse(&BUILD, arguments.collect(), &[])? {
        Asked::BuiltIn(args, flags) => Ok((args.command, flags)),
        Asked::Own(index, rest) => panic!("the node's own command {index} with {rest:?}"),
    }
}

fn flags(arguments: &str) -> Result<Flags, Failure> {
    parsed(arguments.split(' ')).map(|(_, flags)| flags)
}

fn flag(key: &str, value: &str) -> (String, OsString) {
    (key.to_owned(), value.into())
}

fn refused(arguments: &str) -> String {
    let failure = flags(arguments).expect_err(arguments);
    assert_eq!(failure.exit_status(), 2, "{arguments}");
    failure.lines().join("\n")
}

#[test]
fn keys_are_found_in_both_forms_and_in_order() {
    let (command, found) = parsed(
        "serve --log.filter=1 --json --transport.mode dual --config x --log.filter= --node.name=e=f"
            .split(' '),
    )
    .unwrap();
    let BuiltIn::Serve(args) = command else { panic!("another command") };
    assert!(args.json && args.config.config == Some("x".into()));
    let expected = [
        flag("log.filter", "1"),
        flag("transport.mode", "dual"),
        flag("log.filter", ""),
        flag("node.name", "e=f"),
    ];
    assert_eq!(found, expected);
}

#[test]
fn every_command_that_reads_a_configuration_has_them() {
    for command in ["serve", "services", "id", "config print", "gateway --listen grpc grpc://h:1"] {
        assert_eq!(
            flags(&format!("{command} --node.name=a")).unwrap(),
            [flag("node.name", "a")],
            "{command}"
        );
    }
    assert_eq!(flags("config --node.name=a print").unwrap(), [flag("node.name", "a")]);
}

#[tokio::test]
async fn the_other_commands_refuse_them() {
    for command in
        ["call grpc://h:1 a.A/Get", "config check f", "services grpc://h:1", "services --node grpc://h:1"]
    {
        let error = refused(&format!("{command} --node.name=a"));
        assert!(error.contains("--node.name"), "{command}: {error}");
    }
    let (command, flags) = parsed(["config", "--node.name=a", "check", "f"]).unwrap();
    let BuiltIn::Config(ConfigCommand::Check(args)) = command else { panic!("another command") };
    let failure = crate::cli::config::check(args, &flags, std::future::pending()).await.unwrap_err();
    assert!(matches!(&failure, Failure::Usage(text) if text.contains("--node.name")), "{failure:?}");
}

#[test]
fn elements_and_fields_are_keys_too() {
    for name in [
        "cluster.peers.0",
        "cluster.peers[1]",
        "transport.strategy.raft_transport.adaptive.latency_threshold_ms",
        "transport.strategy.shift.inventory",
        "transport.strategy.policy.inventory/Get.hedge",
    ] {
        assert_eq!(
            flags(&format!("serve --{name}=1 --{name} 2")).unwrap(),
            [flag(name, "1"), flag(name, "2")]
        );
    }
}

#[cfg(feature = "memory")]
#[test]
fn keys_of_registered_transports_are_among_them() {
    assert_eq!(
        flags("serve --transport.memory.enabled true").unwrap(),
        [flag("transport.memory.enabled", "true")]
    );
}

#[test]
fn a_dot_behind_the_equals_sign_makes_no_key() {
    assert_eq!(flags("serve --config=node.toml").unwrap(), []);
    assert_eq!(flags("config print node.toml").unwrap(), []);
    assert_eq!(flags("services --timeout=1.5s grpc://h:1").unwrap(), []);
}

#[test]
fn a_key_without_a_value_is_bad_usage() {
    for arguments in
        ["serve --log.filter", "serve --log.filter --json", "serve --log.filter --log.format=json"]
    {
        let error = refused(arguments);
        assert!(error.contains("--log.filter") && error.contains("value"), "{arguments}: {error}");
    }
}

#[test]
fn a_value_may_begin_with_a_hyphen() {
    assert_eq!(flags("serve --node.name -1").unwrap(), [flag("node.name", "-1")]);
    assert_eq!(flags("serve --node.name -x").unwrap(), [flag("node.name", "-x")]);
    assert_eq!(flags("serve --node.name=--json").unwrap(), [flag("node.name", "--json")]);
}

#[test]
fn a_value_need_not_be_unicode() {
    let value = OsStr::from_bytes(b"x\xff");
    let joined = OsString::from_vec([b"--node.data_dir=".as_slice(), value.as_bytes()].concat());
    for arguments in
        [vec!["serve".into(), joined], vec!["serve".into(), "--node.data_dir".into(), value.into()]]
    {
        let (_, found) = parsed(arguments).unwrap();
        assert_eq!(found, [("node.data_dir".to_owned(), value.to_owned())]);
    }
}

#[test]
fn arguments_behind_two_dashes_are_no_flags() {
    let (command, found) = parsed(["call", "grpc://h:1", "a.A/Get", "--", "--a.b=1"]).unwrap();
    let BuiltIn::Call(call) = command else { panic!("another command") };
    assert_eq!((call.json.as_deref(), found), (Some("--a.b=1"), vec![]));
}

#[test]
fn an_unknown_key_gets_the_suggestion_of_a_file() {
    for (unknown, known) in [
        ("transport.grpc.bind_adress", "transport.grpc.bind_address"),
        ("transport.moed", "transport.mode"),
        ("http.relay", "transport.iroh.home_relay"),
    ] {
        let error = refused(&format!("serve --{unknown}=x"));
        assert!(
            error.contains(&format!("'--{unknown}'")) && error.contains(&format!("'--{known}'")),
            "{error}"
        );
    }
    assert!(refused("serve --http.colour=x").contains("'--http.colour'"));
}

#[test]
fn the_long_help_lists_every_key_with_its_default_and_the_short_one_none() {
    let Err(Failure::Clap(help)) = flags("serve --help") else { panic!("no help") };
    let help = help.to_string();
    for key in keys() {
        assert!(help.contains(&format!("--{} <VALUE>", key.name)), "{}", key.name);
    }
    for line in ["Configuration, [transport.grpc]:", "[default: \"127.0.0.1:7001\"]"] {
        assert!(help.contains(line), "{line} in {help}");
    }
    let Err(Failure::Clap(short)) = flags("serve -h") else { panic!("no help") };
    assert!(!short.to_string().contains("--transport.mode "), "{short}");
}
