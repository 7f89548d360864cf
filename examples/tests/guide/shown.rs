use std::{env, fs};

use crate::page::{self, Block, Page, root};

/// The file without the comment at its top.
fn source(path: &str) -> String {
    let text = fs::read_to_string(root().join(path)).unwrap();
    text.split_once("\n\n").unwrap().1.to_owned()
}

fn rust(page: &Page) -> Vec<Block> {
    page.blocks().into_iter().filter(|block| block.kind.starts_with("rust")).collect()
}

/// Where the pages show a file word for word: the page, what the block has and no other block of the page, the file.
const SHOWN: [(&str, &str, &str); 7] = [
    ("README.md", "impl Greeter for English", "examples/hello.rs"),
    ("README.md", "polywire_services::node()", "examples/inventory/src/main.rs"),
    ("docs/src/first-service.md", "pub trait Inventory", "examples/inventory/src/lib.rs"),
    ("docs/src/first-service.md", "polywire_services::node()", "examples/inventory/src/main.rs"),
    ("docs/src/node.md", "polywire_services::node()", "examples/inventory/src/main.rs"),
    ("docs/src/writing-a-transport.md", "impl StreamTransport for Tcp", "examples/tcp/src/lib.rs"),
    ("docs/src/writing-a-transport.md", "use polywire_tcp::Tcp;", "examples/tcp/src/main.rs"),
];

#[test]
fn the_pages_show_the_examples_word_for_word() {
    // One page may show several files, so it is read again for each.
    for (path, mark, file) in SHOWN {
        let (page, source) = (Page::read(path), source(file));
        let blocks = rust(&page);
        let marked: Vec<_> = blocks.iter().filter(|block| block.text.contains(mark)).collect();
        let [block] = *marked else { panic!("{path} has {} blocks with {mark:?}", marked.len()) };
        if block.text == source {
            continue;
        }
        assert!(
            env::var_os("POLYWIRE_UPDATE_DOCS").is_some(),
            "{path} does not show {file} as it is; POLYWIRE_UPDATE_DOCS=1 updates the block"
        );
        fs::write(root().join(path), page.text.replace(&block.text, &source)).unwrap();
    }
}

#[test]
fn every_block_of_the_readme_is_a_file() {
    let shown = SHOWN.iter().filter(|(page, ..)| *page == "README.md").count();
    assert_eq!(rust(&Page::read("README.md")).len(), shown, "a block of the README is compiled as a file");
}

#[test]
fn every_block_of_rust_in_the_guide_is_compiled() {
    let compiled = fs::read_to_string(root().join("examples/src/lib.rs")).unwrap();
    for page in page::all() {
        let name = page.path.file_name().unwrap().to_str().unwrap();
        let blocks = rust(&page);
        for block in &blocks {
            assert!(
                matches!(&*block.kind, "rust" | "rust,no_run"),
                "{name} has a block of kind {:?}",
                block.kind
            );
        }
        let is_compiled = compiled.contains(&format!(": \"{name}\"")) || page.path.ends_with("README.md");
        assert!(
            blocks.is_empty() || is_compiled,
            "the blocks of {name} are not compiled by examples/src/lib.rs"
        );
    }
}

#[test]
fn every_block_is_of_a_kind_that_a_test_looks_at_or_is_marked_as_output() {
    for page in page::all() {
        for block in page.blocks() {
            let known = ["rust", "rust,no_run", "sh", "bash", "console", "toml", "text"];
            assert!(known.contains(&&*block.kind), "{:?}: a block of kind {:?}", page.path, block.kind);
        }
    }
}
