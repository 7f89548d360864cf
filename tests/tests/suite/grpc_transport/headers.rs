use polywire::{Metadata, Response, Status};
use polywire_tests::{
    foreign::{SCRIPTS, node_modules},
    http2::Http2,
    inventory::{GetRequest, Item, Stock},
    patience::within,
    shop::Shop,
};
use tokio::process::Command;

use crate::python;

#[tokio::test(flavor = "multi_thread")]
async fn messages_with_spaces_at_their_ends_arrive_whole_at_grpc_js_and_metadata_without() {
    let shop = Shop::open(python::stock()).await;
    let modules = tokio::task::spawn_blocking(node_modules).await.unwrap();
    let mut command = Command::new("node");
    command.args(["--test", "--test-reporter=tap", "spaces.js"]).current_dir(format!("{SCRIPTS}/node"));
    command.env("NODE_PATH", modules).kill_on_drop(true);
    command.env("POLYWIRE_SHOP_ADDRESS", shop.grpc.trim_start_matches("grpc://"));
    let output = within(command.output()).await.unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    assert!(said.contains("# fail 0") && !said.contains("# pass 0"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn spaces_at_the_ends_of_a_message_and_no_others_are_escaped() {
    let stock =
        Stock::new().on_get(async |_, request: GetRequest| Err::<Item, _>(Status::aborted(request.name)));
    let shop = Shop::open(stock).await;
    let http = Http2::connect(shop.grpc.trim_start_matches("grpc://")).await;
    for (message, sent) in [
        ("oops ", "oops%20"),
        ("  two  words  ", "%20%20two  words%20%20"),
        (" ", "%20"),
        ("a\tb\n", "a%09b%0A"),
        ("\u{a0}ü", "%C2%A0%C3%BC"),
        ("100 %", "100 %25"),
    ] {
        let answer = http.call("/inventory.v1.Inventory/Get", &[], &GetRequest::named(message)).await;
        assert_eq!(answer.headers["grpc-message"], sent);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn metadata_that_arrive_with_spaces_at_their_ends_are_read_without() {
    let stock = Stock::new().on_get(async |arrival, _| {
        Ok(Response::new(Item::named(format!("{:?}", arrival.metadata.get("tenant")))))
    });
    let shop = Shop::open(stock).await;
    let http = Http2::connect(shop.grpc.trim_start_matches("grpc://")).await;
    let fields = [("tenant", " \t light blue  ")];
    let answer = http.call("/inventory.v1.Inventory/Get", &fields, &GetRequest::default()).await;
    let body = String::from_utf8_lossy(&answer.body);
    assert!(body.contains("Some(\"light blue\")"), "{answer:?}");
}

#[test]
fn a_metadata_value_that_begins_or_ends_with_a_space_is_refused_with_its_key() {
    let mut metadata = Metadata::new();
    for value in [" x", "x ", " "] {
        let refusal = metadata.append("tenant", value).unwrap_err();
        assert_eq!(
            refusal.to_string(),
            "the value of metadata key \"tenant\" begins or ends with a space; expected none there, or a key that ends in `-bin`"
        );
    }
    for value in ["", "x y"] {
        metadata.append("tenant", value).unwrap();
    }
    metadata.append_bin("tenant-bin", " x ".as_bytes().to_vec()).unwrap();
}
