//! What `call` looks up before its call, where the caller has a token for one method alone.

use std::path::Path;

use polywire::{Code, Status};
use polywire_tests::{
    inventory::{GetRequest, Item, Stock},
    node::{Finished, run, run_with_stdin},
    shop::Shop,
};

use super::{UNAUTHENTICATED, invite};

const GET: &str = "inventory.v1.Inventory/Get";
const ANVIL: &str = r#"{"name": "anvil"}"#;

async fn call(token: &str, arguments: &[&str]) -> Finished {
    run(Path::new("/"), &[&["call", "--token", token], arguments].concat()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn hand_derived_messages_are_called_by_a_token_for_their_method_alone() {
    let shop = Shop::closed(Stock::new()).await;
    let methods = ["--method", GET, "--method", "inventory.v1.Inventory/Sync"];
    let token = invite(shop.data_dir(), &methods).await;
    for target in [&shop.grpc, &shop.iroh] {
        let called = call(&token, &[target, GET, ANVIL]).await;
        assert_eq!(called.code, 0, "{target}: {}", called.stderr);
        let item: serde_json::Value = serde_json::from_str(&called.stdout).unwrap();
        assert_eq!(item["name"], "anvil", "{target}");
        // What is not sent by a schema is not checked either.
        assert!(called.stderr.contains("no schema of inventory.v1.Inventory"), "{target}: {}", called.stderr);
        let arguments = ["call", "--token", &token, target, "inventory.v1.Inventory/Sync", "-"];
        let synced = run_with_stdin(Path::new("/"), &arguments, "{\"name\":\"a\"}\n{\"name\":\"b\"}\n").await;
        assert_eq!(synced.stdout.lines().count(), 2, "{target}: {}", synced.stderr);
        let denied = call(&token, &[target, "inventory.v1.Inventory/Import", ANVIL]).await;
        assert_eq!(denied.code, super::PERMISSION_DENIED, "{target}: {}", denied.stderr);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_schema_a_call_in_protobuf_and_a_service_that_is_not_there_are_refused() {
    let shop = Shop::closed(Stock::new()).await;
    let token = invite(shop.data_dir(), &["--method", GET]).await;
    let protobuf = call(&token, &["--codec", "protobuf", &shop.grpc, GET, ANVIL]).await;
    assert_eq!(protobuf.code, 64 + i32::from(Code::FailedPrecondition.number()), "{}", protobuf.stderr);
    assert!(protobuf.stderr.contains("requires the schema of the messages"), "{}", protobuf.stderr);
    let misspelt = call(&token, &[&shop.grpc, "inventory.v1.Inventry/Get", ANVIL]).await;
    assert_eq!(misspelt.code, 64 + i32::from(Code::Unimplemented.number()), "{}", misspelt.stderr);
    assert!(misspelt.stderr.contains("did you mean `inventory.v1.Inventory/Get`?"), "{}", misspelt.stderr);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lookup_uses_no_token_up_that_allows_it() {
    let stock =
        Stock::new().on_get(async |_, request: GetRequest| Ok::<Item, Status>(Item::named(request.name)));
    let shop = Shop::closed(stock).await;
    // The directory is for operators.
    let methods = ["--method", "operator", "--method", GET, "--uses", "2"];
    for target in [&shop.grpc, &shop.iroh] {
        let token = invite(shop.data_dir(), &methods).await;
        for _ in 0..2 {
            let called = call(&token, &[target, GET, ANVIL]).await;
            assert_eq!(called.code, 0, "{target}: {}", called.stderr);
        }
        let header = format!("authorization: Bearer {token}");
        let over = run(Path::new("/"), &["call", "-H", &header, target, GET, ANVIL]).await;
        assert_eq!(over.code, UNAUTHENTICATED, "{target}: {}", over.stderr);
        assert!(over.stderr.contains("good for 2 calls"), "{target}: {}", over.stderr);
    }
}
