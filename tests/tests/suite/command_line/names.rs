use std::path::Path;

use polywire_tests::node::{Finished, Node, run};

async fn ended(arguments: &[&str], code: i32) -> Finished {
    let finished = run(Path::new("/"), arguments).await;
    assert_eq!(finished.code, code, "{arguments:?}: {}", finished.stderr);
    finished
}

#[tokio::test]
async fn a_scheme_is_the_same_in_capitals() {
    let node = Node::start(&[]).await;
    for target in [node.grpc().replace("grpc", "GRPC"), node.iroh().replace("iroh", "Iroh")] {
        ended(&["call", &target, "grpc.health.v1.Health/Check"], 0).await;
    }
}

#[tokio::test]
async fn a_target_that_is_none_is_answered_with_the_nearest_that_is_one() {
    for (target, meant) in [
        ("127.0.0.1:7001", "did you mean `grpc://127.0.0.1:7001`?"),
        ("localhost:7001", "did you mean `grpc://localhost:7001`?"),
        ("[::1]:7001", "did you mean `grpc://[::1]:7001`?"),
        ("grpc:127.0.0.1:7001", "did you mean `grpc://127.0.0.1:7001`?"),
        ("grcp://127.0.0.1:7001", "did you mean `grpc://127.0.0.1:7001`?"),
        ("https://127.0.0.1:7001", "did you mean `grpcs://127.0.0.1:7001`?"),
        ("http://127.0.0.1:7001", "did you mean `grpc://127.0.0.1:7001`?"),
        ("/run/node.sock", "did you mean `unix:///run/node.sock`?"),
    ] {
        for command in
            [&["call", target, "a.A/B"][..], &["services", target], &["migration", "status", target]]
        {
            let refused = ended(command, 2).await;
            assert!(refused.stderr.contains(meant), "{meant}: {}", refused.stderr);
        }
    }
}

#[tokio::test]
async fn a_service_without_a_method_gets_its_methods() {
    let node = Node::start(&[]).await;
    for target in [node.grpc(), node.iroh()] {
        for written in ["grpc.health.v1.Health", "/grpc.health.v1.Health/", "grpc.health.v1.Health/"] {
            let refused = ended(&["call", target, written], 2).await;
            for words in ["missing method of", "grpc.health.v1.Health/Check", "Watch", "List"] {
                assert!(refused.stderr.contains(words), "{words}: {}", refused.stderr);
            }
        }
    }
}

#[tokio::test]
async fn a_misspelt_service_or_method_is_answered_with_the_nearest() {
    let node = Node::start(&[]).await;
    for target in [node.grpc(), node.iroh()] {
        for (written, meant) in [
            ("Heath/Check", "did you mean `grpc.health.v1.Health/Check`?"),
            ("grpc.heath.v1.Health/Check", "did you mean `grpc.health.v1.Health/Check`?"),
            ("grpc.health.v1.Health/Chek", "did you mean `grpc.health.v1.Health/Check`?"),
            ("grpc.health.v1.Health/check", "did you mean `grpc.health.v1.Health/Check`?"),
        ] {
            let refused = ended(&["call", target, written], 64 + 12).await;
            assert!(refused.stderr.contains(meant), "{meant}: {}", refused.stderr);
        }
    }
}

#[tokio::test]
async fn a_misspelt_command_or_flag_is_answered_with_the_nearest() {
    for (arguments, meant) in [
        (&["servces"][..], "'services'"),
        (&["clutser", "status"], "'cluster'"),
        (&["cluster", "statu"], "'status'"),
        (&["cluster", "--nod", "grpc://127.0.0.1:1", "status"], "'--node'"),
        (&["migration", "status", "--servce", "x", "grpc://127.0.0.1:1"], "'--service'"),
        (&["call", "--timout", "1s", "grpc://127.0.0.1:1", "a.A/B"], "'--timeout'"),
    ] {
        let refused = ended(arguments, 2).await;
        assert!(refused.stderr.contains(meant), "{arguments:?}: {}", refused.stderr);
    }
}

#[tokio::test]
async fn a_node_is_named_in_the_same_way_in_all_commands() {
    let node = Node::start(&[]).await;
    let target = node.grpc();
    for command in [
        &["cluster", "status", target][..],
        &["cluster", "status", "--node", target],
        &["cluster", "--node", target, "status"],
        &["services", target],
        &["services", "--node", target],
        &["migration", "status", "--min-calls=0", target],
    ] {
        let finished = run(Path::new("/"), command).await;
        assert!(matches!(finished.code, 0 | 3), "{command:?}: {} {}", finished.code, finished.stderr);
        assert!(!finished.stdout.is_empty(), "{command:?}");
    }
    let twice = ended(&["cluster", "status", target, "--node", target], 2).await;
    assert!(twice.stderr.contains("--node"), "{}", twice.stderr);
}

#[tokio::test]
async fn a_call_discovers_over_which_other_transports_its_target_is_reached() {
    let node = Node::start(&[
        "--transport.strategy.fallback_to_grpc=false",
        "--transport.strategy.retired_on_grpc=health",
    ])
    .await;
    let check = ["call", node.grpc(), "grpc.health.v1.Health/Check"];
    ended(&check, 64 + 12).await;
    let called = ended(&[&check[..], &["--discover", "--explain"]].concat(), 0).await;
    assert_eq!(called.stdout, "{\"status\":\"SERVING\"}\n");
    for target in [node.grpc(), node.iroh()] {
        assert!(called.stderr.contains(target), "{target}: {}", called.stderr);
    }
}

#[tokio::test]
async fn a_server_without_a_directory_is_called_where_it_is_however_much_is_to_be_discovered() {
    let bound = tokio::net::TcpSocket::new_v4().unwrap();
    bound.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let dead = format!("grpc://{}", bound.local_addr().unwrap());
    let node = Node::start(&[]).await;
    let check = "grpc.health.v1.Health/Check";
    let refused = ended(&["call", "--discover", &dead, check], 64 + 14).await;
    assert!(refused.stderr.contains(&dead), "{}", refused.stderr);
    ended(&["call", "--discover", "--fallback", node.grpc(), &dead, check], 0).await;
    let id = iroh::SecretKey::generate().public().to_string();
    let silent = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let target = format!("iroh://{id}?addr={}", silent.local_addr().unwrap());
    let late = ended(&["call", "--discover", "--timeout", "300ms", &target, check], 64 + 4).await;
    assert!(late.stderr.contains(&id), "{}", late.stderr);
}
