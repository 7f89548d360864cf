use crate::{
    service::expand,
    testing::{assert_mistakes, mistakes},
};

const PACKAGE: &str = r#"package = "inventory.v1""#;

/// Mistakes in the trait.
#[track_caller]
fn in_trait(item: &str, expected: &[(&str, &str)]) {
    assert_mistakes(expand, PACKAGE, item, expected);
}

/// Mistakes in a trait's only item.
#[track_caller]
fn in_method(method: &str, expected: &[(&str, &str)]) {
    in_trait(&format!("trait Inventory {{ {method} }}"), expected);
}

/// Mistakes in the arguments of a method.
#[track_caller]
fn in_arguments(arguments: &str, expected: &[(&str, &str)]) {
    in_method(&format!("async fn get({arguments}) -> Result<Item, Status>;"), expected);
}

/// Mistakes in what a method returns.
#[track_caller]
fn in_return(returns: &str, expected: &[(&str, &str)]) {
    in_method(&format!("async fn get(&self, request: GetRequest) {returns};"), expected);
}

/// Mistakes in the options of a method.
#[track_caller]
fn in_options(options: &str, expected: &[(&str, &str)]) {
    in_method(
        &format!("#[rpc({options})] async fn get(&self, request: GetRequest) -> Result<Item, Status>;"),
        expected,
    );
}

/// Mistakes in the arguments of the attribute.
#[track_caller]
fn in_attribute(arguments: &str, expected: &[(&str, &str)]) {
    assert_mistakes(expand, arguments, "trait Inventory {}", expected);
}

#[test]
fn the_attribute_goes_on_a_trait() {
    for (item, underlined) in [
        ("struct Inventory;", "struct"),
        ("fn inventory() {}", "fn"),
        ("impl Inventory {}", "impl"),
        ("enum Inventory {}", "enum"),
        ("mod inventory {}", "mod"),
        ("trait Inventory = Other;", "trait Inventory = Other;"),
    ] {
        in_trait(item, &[(underlined, "goes on a trait")]);
    }
}

#[test]
fn a_package_is_required() {
    let found = mistakes(expand, "", "trait Inventory {}");
    assert_eq!(found.len(), 1);
    assert!(found[0].1.contains(r#"write `#[polywire::service(package = "inventory.v1")]`"#), "{found:?}");
}

#[test]
fn a_package_is_dotted_lower_case_words() {
    for package in [
        "\"\"",
        "\"Inventory.v1\"",
        "\"inventory..v1\"",
        "\"inventory.\"",
        "\"1nventory\"",
        "\"a-b\"",
        "\"a b\"",
    ] {
        in_attribute(&format!("package = {package}"), &[(package, "lower-case words joined by dots")]);
    }
}

#[test]
fn a_word_with_the_wrong_kind_of_value_shows_the_right_one() {
    in_attribute("package", &[("package", "like `package = \"inventory.v1\"`")]);
    in_attribute("package = 7", &[("7", "like `package = \"inventory.v1\"`")]);
    in_attribute("package = inventory::v1", &[("inventory::v1", "like `package = \"inventory.v1\"`")]);
    in_attribute("package = 1 + 1", &[("1 + 1", "like `package = \"inventory.v1\"`")]);
    in_attribute(r#"package = "a", crate = "polywire""#, &[("\"polywire\"", "like `crate = ::polywire`")]);
}

#[test]
fn what_is_no_word_at_all_shows_the_words_there_are() {
    in_attribute(r#"package = "a", "b""#, &[("\"b\"", "`access = \"operator\"` or `crate = ::polywire`")]);
    in_attribute(r#"package = "a", name("b")"#, &[("name(\"b\")", "expected `package = ")]);
}

#[test]
fn an_unknown_word_suggests_the_nearest() {
    in_attribute(r#"package = "a", nane = "B""#, &[("nane", "did you mean `name`?")]);
    in_options("idempotant", &[("idempotant", "did you mean `idempotent`?")]);
    in_options(
        "retries = 3",
        &[("retries", "does not know `retries`: write `idempotent`, `timeout = \"5s\"`")],
    );
}

#[test]
fn a_word_is_said_once() {
    in_attribute(r#"package = "a", package = "b""#, &[("package", "given twice")]);
    in_options("idempotent, idempotent", &[("idempotent", "given twice")]);
    in_method(
        "#[rpc(timeout = \"1s\")] #[rpc(timeout = \"2s\")] async fn get(&self, it: Item) -> Result<Item, Status>;",
        &[("timeout", "given twice")],
    );
}

#[test]
fn a_name_on_the_wire_is_an_identifier_of_protobuf() {
    in_attribute(r#"package = "a", name = "In ventory""#, &[("\"In ventory\"", "a letter, then letters")]);
    in_options(r#"name = """#, &[("\"\"", "a letter, then letters")]);
    in_options(r#"name = "Get/Item""#, &[("\"Get/Item\"", "a letter, then letters")]);
    in_trait("trait Größe {}", &[("Größe", "#[polywire::service(name = \"Inventory\")]")]);
    in_method(
        "async fn größe(&self, it: Item) -> Result<Item, Status>;",
        &[("größe", "#[rpc(name = \"Get\")]")],
    );
}

#[test]
fn two_methods_do_not_share_a_wire_name() {
    in_trait(
        "trait Inventory {
            async fn get_item(&self, it: Item) -> Result<Item, Status>;
            async fn getItem(&self, it: Item) -> Result<Item, Status>;
            #[rpc(name = \"GetItem\")]
            async fn find(&self, it: Item) -> Result<Item, Status>;
        }",
        &[
            ("getItem", "also the wire name of `get_item`"),
            ("\"GetItem\"", "also the wire name of `get_item`"),
        ],
    );
}

#[test]
fn a_timeout_is_an_integer_and_a_unit() {
    for timeout in ["\"5\"", "\"5 s\"", "\"1.5s\"", "\"5d\"", "\"\"", "\"18446744073709551615h\""] {
        in_options(&format!("timeout = {timeout}"), &[(timeout, "`ms`, `s`, `m` or `h`, like `5s`")]);
    }
    in_options("timeout = \"0ms\"", &[("\"0ms\"", "write at least `1ms`")]);
    in_options("timeout = 5", &[("5", "like `timeout = \"5s\"`")]);
}

#[test]
fn a_limit_is_a_positive_number_of_bytes() {
    in_options("max_message_bytes = 0", &[("0", "write at least 1")]);
    in_options("max_message_bytes = \"1k\"", &[("\"1k\"", "like `max_message_bytes = 65536`")]);
    in_options("max_message_bytes = 99999999999999999999", &[("99999999999999999999", "a number of bytes")]);
}

#[test]
fn idempotent_takes_no_value() {
    in_options("idempotent = true", &[("idempotent", "write `idempotent` alone")]);
}

#[test]
fn an_access_class_is_one_of_four() {
    const CLASSES: &str = "an access class is `public`, `member`, `operator` or `application`";
    in_options("access = \"everyone\"", &[("\"everyone\"", CLASSES)]);
    in_options("access = \"operators\"", &[("\"operators\"", "did you mean `operator`?")]);
    in_options("access", &[("access", "like `access = \"public\"`")]);
    in_attribute(&format!("{PACKAGE}, access = \"Public\""), &[("\"Public\"", CLASSES)]);
    in_attribute(&format!("{PACKAGE}, access = public"), &[("public", "like `access = \"operator\"`")]);
}

#[test]
fn options_stand_in_parentheses() {
    in_method(
        "#[rpc = \"idempotent\"] async fn get(&self, it: Item) -> Result<Item, Status>;",
        &[("#[rpc = \"idempotent\"]", "write `#[rpc(idempotent)]`")],
    );
}

#[test]
fn a_service_is_neither_generic_nor_unsafe_nor_auto() {
    in_trait("trait Inventory<T> {}", &[("<T>", "write `trait Inventory`")]);
    in_trait("trait Inventory<'a> {}", &[("<'a>", "cannot be generic")]);
    in_trait("trait Inventory where Self: Sized {}", &[("where Self: Sized", "no `where` clause")]);
    in_trait("unsafe trait Inventory {}", &[("unsafe", "remove it")]);
    in_trait("auto trait Inventory {}", &[("auto", "remove it")]);
}

#[test]
fn a_service_has_methods_only() {
    in_method("const LIMIT: usize = 1;", &[("const LIMIT: usize = 1;", "move the constant out")]);
    in_method("type Item;", &[("type Item;", "name the type in the methods")]);
    in_method("methods!();", &[("methods!();", "write out the macro's output")]);
}

#[test]
fn a_method_is_an_ordinary_async_fn() {
    in_method("fn get(&self, it: Item) -> Result<Item, Status>;", &[("fn", "write `async fn`")]);
    in_method("const async fn get(&self, it: Item) -> Result<Item, Status>;", &[("const", "remove it")]);
    in_method("async unsafe fn get(&self, it: Item) -> Result<Item, Status>;", &[("unsafe", "remove it")]);
    in_method(
        "async extern \"C\" fn get(&self, it: Item) -> Result<Item, Status>;",
        &[("extern \"C\"", "remove `extern`")],
    );
    in_arguments("&self, it: Item, ...", &[("...", "remove `...`")]);
}

#[test]
fn a_method_is_not_generic() {
    in_method(
        "async fn get<'a, T: Message, const N: usize>(&self, it: Item) -> Result<Item, Status> where T: Copy;",
        &[
            ("'a", "no lifetimes"),
            ("T: Message", "name the message type"),
            ("const N: usize", "put the number into the message"),
            ("where T: Copy", "no `where` clause"),
        ],
    );
    in_arguments("&self, it: impl Message", &[("impl Message", "name it instead of `impl`")]);
    in_return("-> Result<impl Message, Status>", &[("impl Message", "name it instead of `impl`")]);
}

#[test]
fn a_method_takes_self_by_shared_reference() {
    for receiver in ["self", "mut self", "&mut self", "self: Arc<Self>", "&'a self"] {
        in_arguments(&format!("{receiver}, it: Item"), &[(receiver, "write `&self`")]);
    }
    in_arguments("it: Item", &[("it: Item", "write `&self`")]);
}

#[test]
fn a_method_takes_one_request() {
    in_arguments("&self", &[("&self", "write `request: Request`")]);
    in_arguments("&self, cx: &Context", &[("&self, cx: &Context", "write `request: Request`")]);
    in_arguments(
        "&self, a: Item, b: Item, c: Item",
        &[("b: Item", "one request"), ("c: Item", "one request")],
    );
    in_arguments("", &[("get", "write `&self`"), ("get", "write `request: Request`")]);
}

#[test]
fn a_context_is_borrowed_and_comes_first() {
    in_arguments("&self, cx: Context, it: Item", &[("Context", "write `&Context`")]);
    in_arguments("&self, cx: &mut Context, it: Item", &[("&mut Context", "write `&Context`")]);
    in_arguments("&self, it: Item, cx: &Context", &[("&Context", "first argument after `&self`")]);
    in_arguments(
        "&self, it: Item, cx: Context",
        &[("Context", "write `&Context`"), ("Context", "first argument after `&self`")],
    );
}

#[test]
fn an_argument_has_a_name_and_nothing_else() {
    in_arguments("&self, Item { count }: Item", &[("Item { count }", "not a pattern")]);
    in_arguments("&self, _: Item", &[("_", "not a pattern")]);
    in_arguments("&self, ref it: Item", &[("ref it", "not a pattern")]);
    in_arguments("&self, #[allow(unused)] it: Item", &[("#[allow(unused)]", "remove it")]);
}

#[test]
fn a_message_owns_its_data() {
    in_arguments("&self, it: &Item", &[("&Item", "remove the `&`")]);
    in_arguments("&self, it: Cow<'_, Item>", &[("'_", "without a lifetime")]);
    in_arguments("&self, it: Streaming<(u8, Item<'a>)>", &[("'a", "without a lifetime")]);
    in_return("-> Result<&Item, Status>", &[("&Item", "remove the `&`")]);
    in_return("-> Result<Streaming<&Item>, Status>", &[("&Item", "remove the `&`")]);
}

#[test]
fn a_static_lifetime_in_a_message_is_the_compilers_to_judge() {
    in_arguments("&self, it: Cow<'static, Item>", &[]);
}

#[test]
fn wrappers_have_one_type_and_one_order() {
    in_arguments("&self, it: Streaming", &[("Streaming", "write `Streaming<Message>`")]);
    in_arguments("&self, it: Streaming<A, B>", &[("Streaming<A, B>", "exactly one type")]);
    in_arguments("&self, it: Streaming<Streaming<A>>", &[("Streaming<A>", "do not nest")]);
    in_arguments("&self, it: Response<A>", &[("Response<A>", "around what a method returns")]);
    in_return("-> Result<Response, Status>", &[("Response", "write `Response<Message>`")]);
    in_return(
        "-> Result<Streaming<Response<A>>, Status>",
        &[("Response<A>", "around what a method returns")],
    );
    in_return("-> Result<Response<Response<A>>, Status>", &[("Response<A>", "around what a method returns")]);
}

#[test]
fn a_method_returns_a_result() {
    const EXPECTED: &str = "returns `Result<Reply, Status>`";
    in_return("", &[("get", EXPECTED)]);
    for ty in
        ["Item", "Result", "Result<A, B, C>", "Option<Item>", "impl Future<Output = Item>", "(Item, Status)"]
    {
        in_return(&format!("-> {ty}"), &[(ty, EXPECTED)]);
    }
}

#[test]
fn all_mistakes_of_an_item_are_found_at_once() {
    assert_mistakes(
        expand,
        r#"pakage = "a""#,
        "trait Inventory<T> {
            const A: u8;
            #[rpc(idempotant, timeout = \"1\")]
            fn get(self, it: &Item) -> Item;
            #[rpc(max_message_bytes = 0)]
            async fn put(&self) -> Result<Streaming, Status>;
        }",
        &[
            ("pakage", "did you mean `package`?"),
            ("idempotant", "did you mean `idempotent`?"),
            ("", "a service has a package"),
            ("<T>", "cannot be generic"),
            ("const A: u8;", "methods only"),
            ("\"1\"", "like `5s`"),
            ("fn", "write `async fn`"),
            ("self", "write `&self`"),
            ("&Item", "remove the `&`"),
            ("Item", "returns `Result<Reply, Status>`"),
            ("0", "at least 1"),
            ("&self", "write `request: Request`"),
            ("Streaming", "write `Streaming<Message>`"),
        ],
    );
}
