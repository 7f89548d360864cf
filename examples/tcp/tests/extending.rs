//! EXTENDING.md shows this crate, word for word.

#[test]
fn the_guide_shows_what_is_compiled_here() {
    let guide = include_str!("../../../EXTENDING.md");
    let source = include_str!("../src/lib.rs");
    let (_, shown) = source.split_once("\n\n").unwrap();
    assert!(guide.contains(shown.trim_end()), "EXTENDING.md and src/lib.rs differ");
}
