use super::*;

const BUILD: Build = Build { name: "node", version: "1.2.3", commit: None };

fn parse_text(arguments: &[&str]) -> Result<Command, Failure> {
    let arguments = std::iter::once("node").chain(arguments.iter().copied()).map(OsString::from);
    match parse(&BUILD, arguments.collect(), &[("herd", "Herds")])? {
        Asked::BuiltIn(args, _) => Ok(args.command),
        Asked::Own(index, rest) => panic!("the node's own command {index} with {rest:?}"),
    }
}

#[test]
fn the_commands_hold_together() {
    flags::add(Args::command(), &[]).debug_assert();
}

#[test]
fn a_call_is_read_with_everything_that_it_can_have() {
    let arguments = [
        "call",
        "-H",
        "tenant: blue",
        "--header",
        "trace-bin: AP8=",
        "--timeout",
        "1500ms",
        "--codec",
        "msgpack",
        "--fallback",
        "grpc://127.0.0.1:2",
        "-vv",
        "grpc://127.0.0.1:1",
        "a.v1.A/Get",
        "{}",
    ];
    let Command::Call(call) = parse_text(&arguments).unwrap() else { panic!("another command") };
    assert!(matches!(&call.target, CallTarget::Target(target) if target.to_string() == "grpc://127.0.0.1:1"));
    assert_eq!(call.json.as_deref(), Some("{}"));
    assert_eq!(call.headers.len(), 2);
    assert_eq!(call.connect.timeout, Some(Duration::from_millis(1500)));
    assert_eq!(call.codec, Some(Codec::MessagePack));
    assert_eq!(call.fallback[0].to_string(), "grpc://127.0.0.1:2");
    assert_eq!(call.connect.verbose, 2);
}

#[test]
fn stdin_is_a_request_and_no_flag() {
    let Command::Call(call) = parse_text(&["call", "grpc://h:1", "a.A/Get", "-"]).unwrap() else {
        panic!("another command")
    };
    assert_eq!(call.json.as_deref(), Some("-"));
}

#[test]
fn bad_usage_says_what_was_expected() {
    let cases = [
        (["call", "pigeon://h:1", "a.A/Get"].as_slice(), "`pigeon://` is not built in"),
        (["call", "grpc://h:1", "Get"].as_slice(), "PACKAGE.SERVICE/METHOD"),
        (["call", "--timeout", "soon", "grpc://h:1", "a.A/Get"].as_slice(), "for instance 500ms"),
        (["call", "--codec", "xml", "grpc://h:1", "a.A/Get"].as_slice(), "`protobuf` or `msgpack`"),
        (["call", "-H", "tenant", "grpc://h:1", "a.A/Get"].as_slice(), "KEY: VALUE"),
        (["services", "grpc://h:1", "--config", "a.toml"].as_slice(), "--config <FILE>"),
        (["serve", "--log-format", "xml"].as_slice(), "[possible values: human, json, auto]"),
        (["frobnicate"].as_slice(), "frobnicate"),
    ];
    for (arguments, expected) in cases {
        let Err(Failure::Clap(error)) = parse_text(arguments) else { panic!("{arguments:?} was taken") };
        assert!(error.to_string().contains(expected), "{error}");
        assert_eq!(error.exit_code(), 2);
    }
}

#[test]
fn a_command_of_the_nodes_own_gets_its_arguments_as_they_are() {
    let arguments = ["node", "herd", "--sheep", "-n", "3", "--help"].map(OsString::from).to_vec();
    let Ok(Asked::Own(0, rest)) = parse(&BUILD, arguments, &[("herd", "Herds")]) else {
        panic!("another command")
    };
    assert_eq!(rest, ["--sheep", "-n", "3", "--help"]);
    let Err(Failure::Clap(help)) = parse_text(&["--help"]) else { panic!("no help") };
    assert!(help.to_string().contains("Herds"), "{help}");
}

#[test]
fn help_explains_configuration_flags() {
    let Err(Failure::Clap(help)) = parse_text(&["serve", "--help"]) else { panic!("no help") };
    assert!(help.to_string().contains("--transport.grpc.bind_address=127.0.0.1:0"), "{help}");
    assert_eq!(help.exit_code(), 0);
}
