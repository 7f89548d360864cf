//! A node joins the cluster of another machine.

use polywire_tests::{
    lab::{Lab, Namespace},
    node::{Finished, Node, binary, run_command},
};

/// A node that other machines reach over gRPC and Iroh, and this one over loopback and a Unix socket as well.
async fn start(side: &Namespace) -> Node {
    let grpc = format!("--transport.grpc.bind_address={}:0", side.address());
    let flags = [
        grpc.as_str(),
        "--transport.grpc.tls_enabled=true",
        "--transport.iroh.bind_address=0.0.0.0",
        "--transport.unix.enabled=true",
        "--http.enabled=false",
    ];
    Node::start_with(side.command(binary()), flags).await
}

/// A command of the node's own machine, at its Unix socket.
async fn cluster(side: &Namespace, node: &Node, arguments: &[&str]) -> Finished {
    let mut command = side.command(binary());
    command.arg("cluster").args(arguments).args(["--node", node.target("unix")]);
    run_command(command, "").await
}

#[tokio::test]
async fn a_node_joins_by_invitation_also_where_it_listens_to_its_own_machine_as_well() {
    let Some(lab) = Lab::or_skip().await else { return };
    let (member, joining) = (start(lab.near()).await, start(lab.far()).await);
    let invited = cluster(lab.near(), &member, &["invite"]).await;
    assert_eq!(invited.code, 0, "{}", invited.stderr);
    let joined = cluster(lab.far(), &joining, &["join", invited.stdout.trim()]).await;
    assert_eq!(joined.code, 0, "{}", joined.stderr);
    for (side, node) in [(lab.near(), &member), (lab.far(), &joining)] {
        let told = cluster(side, node, &["status"]).await;
        assert_eq!(told.stdout.matches("grpcs://").count(), 2, "{}", told.stdout);
        assert!(!told.stdout.contains("127.0.0.1") && !told.stdout.contains("unix://"), "{}", told.stdout);
    }
}
