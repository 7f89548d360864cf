use polywire_proto::grpc::health::v1::health_check_response::ServingStatus;
use polywire_tests::node::{Node, run};

use super::from_grpc;
use crate::node::health;

async fn refused(arguments: &[&str]) -> String {
    let directory = tempfile::tempdir().unwrap();
    let all: Vec<_> = ["gateway"].into_iter().chain(arguments.iter().copied()).collect();
    let finished = run(directory.path(), &all).await;
    assert_ne!(finished.code, 0, "{arguments:?} was taken");
    finished.stderr
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_listened_on_or_called_is_said() {
    let target = "grpc://127.0.0.1:1";
    let cases: &[(&[&str], &str)] = &[
        (&[target], "--listen <TRANSPORT[://ADDRESS]>"),
        (&["--listen", "grpc"], "<TARGET>"),
        (
            &["--listen", "pigeon", target],
            "invalid transport `pigeon`: this build does not have it; expected",
        ),
        (&["--listen", "grpc://", target], "missing address"),
        (&["--listen", "grpc://nonsense", target], "expected an IP address and a port"),
        (&["--listen", "iroh://abc", target], "expected iroh://ip:port or `iroh` alone"),
        (&["--listen", "grpc", "--listen", "grpcs", target], "--listen names grpc twice"),
        (
            &["--listen", "grpc", "--transport.mode=dual", target],
            "unexpected flag --transport.mode: --listen sets this key",
        ),
        (&["--listen", "grpc://127.0.0.1:7999", "grpc://127.0.0.1:7999"], "the target is this node itself"),
        (&["--listen", "grpc://127.0.0.1:0", "grpcs://127.0.0.1:1", "--ca", "/nowhere"], "CA file /nowhere"),
        (&["--listen", "grpc", "--codec", "xml", target], "`protobuf` or `msgpack`"),
    ];
    for (arguments, expected) in cases {
        let stderr = refused(arguments).await;
        assert!(stderr.contains(expected), "{arguments:?}: {stderr}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_listens_where_it_was_told_and_nowhere_else() {
    let node = Node::start(&["--transport.mode=grpc"]).await;
    let gateway = from_grpc(node.grpc()).await;
    assert_eq!((gateway.targets.grpc.is_some(), gateway.targets.iroh.is_some()), (true, false));
    // Another address of loopback: no port needs to be known beforehand.
    let listen = ["--listen", "iroh://127.0.0.2:0", "--listen", "grpc://127.0.0.1:0"];
    let gateway = Node::gateway(listen.into_iter().chain([node.grpc()])).await;
    let addresses =
        Vec::from_iter(gateway.iroh().match_indices("addr=").map(|(at, _)| &gateway.iroh()[at..]));
    let [address] = addresses[..] else { panic!("{}", gateway.iroh()) };
    assert!(address.starts_with("addr=127.0.0.2:"), "{address}");
    assert!(gateway.targets.grpc.is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_may_serve_neither_grpc_nor_iroh() {
    let node = Node::start(&["--transport.mode=iroh"]).await;
    let directory = tempfile::tempdir().unwrap();
    let listen = format!("unix://{}", directory.path().join("gateway.sock").display());
    let gateway = Node::gateway(["--listen", &listen, node.iroh()]).await;
    assert_eq!((&gateway.targets.grpc, &gateway.targets.iroh), (&None, &None));
    assert_eq!(gateway.targets.others["unix"], listen);
    assert_eq!(health(&listen, "").await.unwrap(), ServingStatus::Serving);
}
