use std::fs;

use crate::page::{self, Block, Page, root};

/// The file without the comment at its top.
fn source(path: &str) -> String {
    let text = fs::read_to_string(root().join(path)).unwrap();
    text.split_once("\n\n").unwrap().1.to_owned()
}

fn rust(page: &Page) -> Vec<Block> {
    page.blocks().into_iter().filter(|block| block.kind.starts_with("rust")).collect()
}

#[test]
fn the_readme_shows_programs_that_are_compiled_word_for_word() {
    let blocks = rust(&Page::read("README.md"));
    let shown: Vec<_> = blocks.iter().map(|block| &*block.text).collect();
    assert_eq!(shown, [source("examples/hello.rs"), source("examples/inventory/src/main.rs")]);
}

#[test]
fn the_guide_shows_the_examples_word_for_word() {
    for (chapter, file) in [
        ("docs/src/first-service.md", "examples/inventory/src/lib.rs"),
        ("docs/src/first-service.md", "examples/inventory/src/main.rs"),
        ("docs/src/node.md", "examples/inventory/src/main.rs"),
        ("docs/src/writing-a-transport.md", "examples/tcp/src/lib.rs"),
        ("docs/src/writing-a-transport.md", "examples/tcp/src/main.rs"),
    ] {
        let source = source(file);
        let shown = rust(&Page::read(chapter)).iter().any(|block| block.text == source);
        assert!(shown, "{chapter} does not show {file} as it is");
    }
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
