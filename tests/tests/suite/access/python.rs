//! Python's grpcio with a token and with none.

use polywire_tests::node::Node;

use super::{GET, PUT, invite};
use crate::python::run_against;

#[tokio::test(flavor = "multi_thread")]
async fn python_calls_with_a_token_what_it_allows_and_without_one_what_is_public() {
    let node = Node::start(&["--access.trust_local=false"]).await;
    let token = invite(&node.data_dir(), &["--method", GET]).await;
    let once = invite(&node.data_dir(), &["--method", PUT, "--uses", "1"]).await;
    let servers = [
        ("NODE_ADDRESS", node.grpc()),
        ("TOKEN", &*token),
        ("TOKEN_ONCE", &*once),
        ("SHOP_ADDRESS", node.grpc()),
    ];
    run_against("tokens.py", servers).await;
}
