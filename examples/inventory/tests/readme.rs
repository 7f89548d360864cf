//! The README shows this crate, word for word.

#[test]
fn the_readme_shows_what_is_compiled_here() {
    let readme = include_str!("../../../README.md");
    let shown: Vec<_> =
        readme.split("```rust\n").skip(1).filter_map(|rest| rest.split("```").next()).collect();
    let sources = [include_str!("../src/lib.rs"), include_str!("../src/main.rs")];
    assert_eq!(shown.len(), sources.len(), "each block of the README is a file of this crate");
    for (shown, source) in shown.iter().zip(sources) {
        assert!(source.ends_with(shown), "the README and the crate differ; the README shows:\n{shown}");
    }
}
