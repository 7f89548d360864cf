use crate::{
    service::expand,
    testing::{expanded, output},
};

const PACKAGE: &str = r#"package = "inventory.v1""#;

#[test]
fn two_methods_expand_to_a_table_a_match_and_a_client() {
    let expansion = expanded(
        expand,
        PACKAGE,
        "/// What is in stock.
        pub trait Inventory {
            /// Looks one item up.
            async fn get(&self, request: GetRequest) -> Result<Item, Status>;
            /// Lists items as they change.
            async fn watch(&self, cx: &Context, request: WatchRequest) -> Result<Streaming<Item>, Status>;
        }",
    );
    let lines = expansion.lines().count();
    assert!(lines <= MOST, "{lines} lines; expected at most {MOST}");
    insta::assert_snapshot!(expansion);
}

/// How many lines a service of two methods may expand to: what every user's compiler reads.
const MOST: usize = 133;

#[test]
fn each_shape_has_its_row_and_its_arm() {
    insta::assert_snapshot!(expanded(
        expand,
        PACKAGE,
        "pub trait Inventory {
            async fn get(&self, request: GetRequest) -> Result<Item, Status>;
            async fn watch(&self, request: WatchRequest) -> Result<Streaming<Item>, Status>;
            async fn import(&self, items: Streaming<Item>) -> Result<ImportSummary, Status>;
            async fn sync(&self, items: polywire::Streaming<Item>) -> polywire::Result<Streaming<Item>>;
        }",
    ));
}

#[test]
fn a_context_comes_first_and_a_response_is_unwrapped() {
    insta::assert_snapshot!(expanded(
        expand,
        PACKAGE,
        "pub trait Inventory {
            async fn get(&self, call: &polywire::Context, request: GetRequest) -> Result<Response<Item>, Status>;
            async fn sync(&self, cx: &Context, items: Streaming<Item>) -> Result<Response<Streaming<Item>>, Status>;
        }",
    ));
}

#[test]
fn options_and_docs_are_in_the_table() {
    insta::assert_snapshot!(expanded(
        expand,
        r#"package = "inventory.v1", name = "Stock""#,
        r#"/// What is in stock.
        pub trait Inventory {
            /// Looks one item up.
            ///
            /// Twice, if need be.
            #[rpc(idempotent, timeout = "2m")]
            #[rpc(name = "Fetch", max_message_bytes = 65_536)]
            async fn get(&self, request: GetRequest) -> Result<Item, Status>;
        }"#,
    ));
}

#[test]
fn a_method_has_the_access_of_its_service_unless_it_says_another_and_the_default_is_not_emitted() {
    insta::assert_snapshot!(expanded(
        expand,
        r#"package = "inventory.v1", access = "operator""#,
        r#"pub trait Inventory {
            async fn put(&self, item: Item) -> Result<Item, Status>;
            #[rpc(access = "public")]
            async fn check(&self, request: GetRequest) -> Result<Item, Status>;
            #[rpc(access = "member")]
            async fn append(&self, item: Item) -> Result<Item, Status>;
            #[rpc(access = "application")]
            async fn get(&self, request: GetRequest) -> Result<Item, Status>;
        }"#,
    ));
}

#[test]
fn a_default_body_becomes_an_async_block() {
    insta::assert_snapshot!(expanded(
        expand,
        PACKAGE,
        "pub trait Inventory {
            async fn get(&self, mut request: GetRequest) -> Result<Item, Status> {
                request.count += 1;
                self.find(request).await
            }
        }",
    ));
}

#[test]
fn a_cfg_follows_its_method_everywhere() {
    insta::assert_snapshot!(expanded(
        expand,
        PACKAGE,
        r#"pub trait Inventory {
            #[cfg(unix)]
            #[cfg_attr(feature = "slim", cfg(test), doc = "Slim.")]
            async fn get(&self, request: GetRequest) -> Result<Item, MyError>;
            #[cfg(not(unix))]
            async fn get(&self, request: OtherRequest) -> Result<Item, Status>;
        }"#,
    ));
}

#[test]
fn an_error_of_ones_own_and_a_supertrait_are_deferred_bounds() {
    insta::assert_snapshot!(expanded(
        expand,
        PACKAGE,
        "pub trait Inventory: Audited<Log> + Clone {
            async fn get(&self, request: GetRequest) -> Result<Item, MyError>;
            async fn put(&self, request: Item) -> Result<Item, MyError>;
            async fn import(&self, items: Streaming<Item>) -> Result<Item, Status>;
        }",
    ));
}

#[test]
fn a_method_called_new_is_left_to_the_trait() {
    insta::assert_snapshot!(expanded(
        expand,
        PACKAGE,
        "pub trait Inventory { async fn new(&self, cx: &Context, request: Item) -> Result<Item, Status>; }",
    ));
}

#[test]
fn raw_identifiers_lose_their_prefix_on_the_wire_only() {
    insta::assert_snapshot!(expanded(
        expand,
        PACKAGE,
        "trait r#Type { async fn r#match(&self, r#in: Item) -> Result<Item, Status>; }",
    ));
}

#[test]
fn a_deprecated_method_warns_its_callers_only() {
    insta::assert_snapshot!(expanded(
        expand,
        PACKAGE,
        r#"pub(crate) trait Inventory {
            #[deprecated(note = "use `put`")]
            #[must_use]
            async fn add(&self, request: Item) -> Result<Item, Status>;
        }"#,
    ));
}

#[test]
fn an_empty_trait_is_a_service_without_methods() {
    insta::assert_snapshot!(expanded(expand, PACKAGE, "pub trait Inventory {}"));
}

#[test]
fn every_path_goes_through_the_crate_that_was_named() {
    let item = r#"pub trait Inventory: Audited {
        #[rpc(timeout = "1s")]
        async fn get(&self, cx: &Context, request: GetRequest) -> Result<Response<Item>, MyError>;
        #[cfg(unix)]
        async fn sync(&self, items: Streaming<Item>) -> Result<Streaming<Item>, MyError>;
        async fn new(&self, items: Streaming<Item>) -> Result<Item, Status>;
    }"#;
    let renamed = expanded(expand, r#"package = "inventory.v1", crate = ::wires::poly"#, item);
    assert!(renamed.contains("::wires::poly::__private::Deferred"));
    assert!(!renamed.contains("polywire"), "{renamed}");
    let default = expanded(expand, PACKAGE, item);
    assert_eq!(
        renamed.replace("::wires::poly", "::polywire").replace(['\n', ' ', ','], ""),
        default.replace(['\n', ' ', ','], "")
    );
}

#[test]
fn no_expansion_names_a_transport() {
    let expansion = expanded(
        expand,
        PACKAGE,
        "pub trait Inventory { async fn sync(&self, items: Streaming<Item>) -> Result<Streaming<Item>, Status>; }",
    );
    for transport in ["grpc", "tonic", "iroh", "quic"] {
        assert!(!expansion.to_lowercase().contains(transport), "{transport}: {expansion}");
    }
}

#[test]
fn of_a_service_with_mistakes_the_trait_and_the_other_methods_remain() {
    insta::assert_snapshot!(output(
        expand,
        PACKAGE,
        r#"pub trait Inventory {
            #[rpc(idempotant)]
            async fn get(&self, request: GetRequest) -> Result<Item, Status>;
            #[rpc(idempotent)]
            async fn put(&self, item: &Item) -> Result<Item, Status>;
        }"#,
    ));
}

#[test]
fn of_a_trait_that_cannot_be_a_service_the_trait_remains() {
    insta::assert_snapshot!(output(
        expand,
        PACKAGE,
        "pub trait Inventory<T> { #[rpc(idempotent)] async fn get(&self, request: T) -> Result<T, Status>; }",
    ));
}

#[test]
fn of_two_methods_of_one_wire_name_the_first_is_served() {
    let expansion = output(
        expand,
        PACKAGE,
        r#"pub trait Inventory {
            async fn get(&self, request: GetRequest) -> Result<Item, Status>;
            #[rpc(name = "Get")]
            async fn fetch(&self, request: GetRequest) -> Result<Item, Status>;
        }"#,
    );
    assert_eq!(expansion.matches(r#""Get" =>"#).count(), 1, "{expansion}");
    assert_eq!(expansion.matches("Inventory>::get(").count(), 1, "{expansion}");
}
