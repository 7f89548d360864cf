//! What the macros say of mistakes, and what their expansions survive.

#[test]
fn each_mistake_is_reported_where_it_is_made_with_what_to_write_instead() {
    trybuild::TestCases::new().compile_fail("ui/*.rs");
}

#[test]
fn expansions_compile_and_run_wherever_a_trait_does() {
    trybuild::TestCases::new().pass("ui/pass/*.rs");
}
