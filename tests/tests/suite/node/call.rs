use std::{
    path::Path,
    process::Stdio,
    time::{Duration, Instant},
};

use polywire::{Code, Response, Status, Streaming};
use polywire_tests::{
    inventory::{GetRequest, Item, Stock, WatchRequest},
    node::{Node, binary, call, run, run_with_stdin},
    patience::within,
    shop::Shop,
};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    process::Command,
};

const CHECK: &str = "grpc.health.v1.Health/Check";

#[tokio::test]
async fn a_call_prints_json_in_protobufs_mapping_over_either_transport_and_codec() {
    let node = Node::start(&[]).await;
    for target in [node.grpc(), node.iroh()] {
        for codec in ["protobuf", "msgpack"] {
            let finished =
                call(&["--codec", codec, target, CHECK, r#"{"service": "grpc.health.v1.Health"}"#]).await;
            assert_eq!(finished.code, 0, "{target} {codec}: {}", finished.stderr);
            assert_eq!(finished.stdout, "{\"status\":\"SERVING\"}\n");
            let list = call(&["--codec", codec, target, "grpc.health.v1.Health/List"]).await;
            let list: serde_json::Value = serde_json::from_str(&list.stdout).unwrap();
            assert_eq!(list["statuses"][""]["status"], "SERVING", "{list}");
        }
    }
}

#[tokio::test]
async fn failures_are_64_and_the_code_with_the_status_on_stderr() {
    let node = Node::start(&[]).await;
    for target in [node.grpc(), node.iroh()] {
        let cases: [(&[&str], Code); 4] = [
            (&[target, CHECK, r#"{"service": "nobody"}"#], Code::NotFound),
            (&[target, "grpc.health.v1.Health/Burn"], Code::Unimplemented),
            (&[target, "nobody.v1.Nobody/Get"], Code::Unimplemented),
            (&["--timeout", "300ms", target, "grpc.health.v1.Health/Watch"], Code::DeadlineExceeded),
        ];
        for (arguments, code) in cases {
            let finished = call(arguments).await;
            assert_eq!(finished.code, 64 + i32::from(code.number()), "{arguments:?}: {}", finished.stderr);
            assert!(finished.stderr.starts_with(code.name()), "{}", finished.stderr);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_code_is_an_exit_status_of_its_own() {
    let stock = Stock::new().on_get(async |_, request: GetRequest| {
        let code = Code::from_number(request.name.parse().unwrap());
        Err::<Item, _>(Status::new(code, "größer").with_details(vec![0, 0xff]))
    });
    let shop = Shop::open(stock).await;
    for code in &Code::ALL[1..] {
        // Each transport has every other one: a process a code is enough.
        let target = if code.number() % 2 == 0 { &shop.grpc } else { &shop.iroh };
        let request = format!(r#"{{"name": "{}"}}"#, code.number());
        let finished = call(&[target, "inventory.v1.Inventory/Get", &request]).await;
        assert_eq!(finished.code, 64 + i32::from(code.number()), "{}", finished.stderr);
        let status = format!("{}: größer", code.name());
        assert!(finished.stderr.lines().any(|line| line == status), "{}", finished.stderr);
        assert!(finished.stderr.contains("AP8="), "{}", finished.stderr);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_shape_is_called_without_any_schema_of_its_messages() {
    let shop = Shop::open(Stock::new()).await;
    for target in [&shop.grpc, &shop.iroh] {
        let unary = call(&[target, "inventory.v1.Inventory/Get", r#"{"name": "anvil"}"#]).await;
        assert_eq!(unary.code, 0, "{}", unary.stderr);
        let item: serde_json::Value = serde_json::from_str(&unary.stdout).unwrap();
        assert_eq!((&item["name"], &item["count"]), (&"anvil".into(), &1.into()));

        let watched = call(&[target, "inventory.v1.Inventory/Watch", r#"{"count": 3}"#]).await;
        let names = |stdout: &str| {
            let name = |line: &str| serde_json::from_str::<serde_json::Value>(line).unwrap()["name"].clone();
            Vec::from_iter(stdout.lines().map(name))
        };
        assert_eq!(names(&watched.stdout), ["0", "1", "2"]);

        let lines = "{\"name\": \"a\"}\n{\"name\": \"b\"}\n";
        let directory = Path::new("/");
        let imported =
            run_with_stdin(directory, &["call", target, "inventory.v1.Inventory/Import", "-"], lines).await;
        assert_eq!(imported.stdout, "{\"names\":[\"a\",\"b\"]}\n", "{}", imported.stderr);
        let synced = call(&[target, "inventory.v1.Inventory/Sync", lines]).await;
        assert_eq!(names(&synced.stdout), ["a", "b"], "{}", synced.stderr);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_conversation_goes_line_by_line() {
    let shop = Shop::open(Stock::new()).await;
    for target in [&shop.grpc, &shop.iroh] {
        let mut command = Command::new(binary());
        command.args(["call", target, "inventory.v1.Inventory/Sync", "-"]).kill_on_drop(true);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        let mut answers = BufReader::new(child.stdout.take().unwrap()).lines();
        for name in ["a", "b", "c"] {
            stdin.write_all(format!("{{\"name\": \"{name}\"}}\n").as_bytes()).await.unwrap();
            let answer = within(answers.next_line()).await.unwrap().unwrap();
            assert!(answer.contains(&format!("\"name\":\"{name}\"")), "{answer}");
        }
        drop(stdin);
        assert_eq!(within(answers.next_line()).await.unwrap(), None);
        assert!(within(child.wait()).await.unwrap().success());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn headers_are_sent_and_shown() {
    let stock = Stock::new().on_get(async |arrival, _| {
        let metadata = &arrival.metadata;
        assert_eq!(metadata.get("tenant"), Some("blue"));
        assert_eq!(metadata.get_bin("trace-bin").unwrap().as_ref(), [0, 0xff]);
        let mut trailers = polywire::Metadata::new();
        trailers.insert("cost", "3").unwrap();
        Ok(Response::new(Item::default()).with_metadata(metadata.clone()).with_trailers(trailers))
    });
    let shop = Shop::open(stock).await;
    for target in [&shop.grpc, &shop.iroh] {
        let arguments =
            ["-v", "-H", "tenant: blue", "-H", "trace-bin: AP8=", target, "inventory.v1.Inventory/Get"];
        let finished = call(&arguments).await;
        assert_eq!(finished.code, 0, "{}", finished.stderr);
        for line in ["tenant: blue", "trace-bin: AP8=", "cost: 3"] {
            assert!(finished.stderr.contains(line), "{line}: {}", finished.stderr);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fallback_is_taken_only_where_nothing_was_processed() {
    let stock = Stock::new()
        .on_get(async |_, _| Err::<Item, _>(Status::unavailable("seen and failed")))
        .on_watch(async |_, _: WatchRequest| Ok(Streaming::once(Item::named("from the fallback"))));
    let shop = Shop::open(stock).await;
    // Bound and never listening, so that no other process listens.
    let bound = tokio::net::TcpSocket::new_v4().unwrap();
    bound.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let dead = format!("grpc://{}", bound.local_addr().unwrap());
    let taken = call(&["--fallback", &shop.iroh, &dead, "inventory.v1.Inventory/Watch"]).await;
    assert_eq!(taken.code, 0, "{}", taken.stderr);
    assert!(taken.stdout.contains("from the fallback"));
    let told: Vec<_> = taken.stderr.lines().filter(|line| line.contains("falling back")).collect();
    let [told] = told[..] else { panic!("it is said once: {}", taken.stderr) };
    assert!(told.starts_with(&format!("{dead} failed (")), "{told}");
    assert!(told.ends_with(&format!("; falling back to {}", shop.iroh)), "{told}");
    let none = call(&[&dead, "inventory.v1.Inventory/Watch"]).await;
    assert_eq!(none.code, 64 + 14, "{}", none.stderr);
}

#[tokio::test]
async fn a_target_that_says_nothing_costs_little_where_there_is_another() {
    let node = Node::start(&[]).await;
    let id = iroh::SecretKey::generate().public();
    let silent = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let target = format!("iroh://{id}?addr={}", silent.local_addr().unwrap());
    let begun = Instant::now();
    let finished = call(&["--fallback", node.grpc(), &target, CHECK]).await;
    assert_eq!(finished.stdout, "{\"status\":\"SERVING\"}\n", "{}", finished.stderr);
    assert!(begun.elapsed() < Duration::from_secs(4), "{:?}", begun.elapsed());
    let told = format!("{target} has not answered yet; falling back to {}\n", node.grpc());
    assert!(finished.stderr.contains(&told), "{}", finished.stderr);
}

#[tokio::test]
async fn a_dead_peer_costs_seconds_and_not_half_a_minute() {
    let id = iroh::SecretKey::generate().public();
    let silent = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let target = format!("iroh://{id}?addr={}", silent.local_addr().unwrap());
    let begun = Instant::now();
    let finished = call(&[&target, CHECK]).await;
    assert_eq!(finished.code, 64 + 14, "{}", finished.stderr);
    assert!(begun.elapsed() < Duration::from_secs(15), "{:?}", begun.elapsed());
    let begun = Instant::now();
    let finished = call(&["--timeout", "500ms", &target, CHECK]).await;
    assert_eq!(finished.code, 64 + 4, "{}", finished.stderr);
    assert!(begun.elapsed() < Duration::from_secs(4), "{:?}", begun.elapsed());
}

#[tokio::test]
async fn bad_usage_is_2_and_says_what_was_expected() {
    let node = Node::start(&[]).await;
    for (arguments, expected) in [
        (vec!["pigeon://127.0.0.1:1", CHECK], "grpc://"),
        (vec![node.grpc(), "Check"], "PACKAGE.SERVICE/METHOD"),
        (vec![node.grpc(), CHECK, "{\"service\": 1}"], "line 1"),
        (vec![node.grpc(), CHECK, "{\"servise\": \"\"}"], "servise"),
        (vec![node.grpc(), CHECK, "nonsense"], "line 1, column 2"),
        (vec!["--codec", "xml", node.grpc(), CHECK], "msgpack"),
        (vec!["-H", "no value", node.grpc(), CHECK], "KEY: VALUE"),
        (vec![node.grpc(), CHECK, "--transport.mode=dual"], "transport.mode"),
    ] {
        let finished = call(&arguments).await;
        assert_eq!((finished.code, finished.stdout.as_str()), (2, ""), "{arguments:?}: {}", finished.stderr);
        assert!(finished.stderr.contains(expected), "{arguments:?}: {}", finished.stderr);
    }
}

#[tokio::test]
async fn services_lists_what_is_served_here_and_there() {
    let node = Node::start(&[
        "--transport.strategy.fallback_to_grpc=false",
        "--transport.strategy.retired_on_grpc=health",
    ])
    .await;
    let directory = tempfile::tempdir().unwrap();
    let here = run(directory.path(), &["services", "--transport.mode=grpc"]).await;
    assert_eq!(here.code, 0, "{}", here.stderr);
    let line = |text: &str, method: &str| text.lines().find(|line| line.contains(method)).map(str::to_owned);
    let watch = line(&here.stdout, "Watch").expect("the health service");
    assert!(watch.contains("grpc.health.v1.Health") && watch.contains("server streaming"), "{watch}");
    assert!(watch.ends_with("grpc"), "{watch}");
    for target in [node.grpc(), node.iroh()] {
        let there = run(directory.path(), &["services", target]).await;
        assert_eq!(there.code, 0, "{}", there.stderr);
        let watch = line(&there.stdout, "Watch").unwrap();
        assert!(watch.ends_with("iroh") && !watch.contains("grpc, iroh"), "{watch}");
        let list = line(&there.stdout, "polywire.directory.v1.Directory").unwrap();
        assert!(list.contains("unary") && list.contains("grpc, iroh"), "{list}");
    }
}
