//! What the macros say of mistakes, and what their expansions survive.

use std::{
    panic::{catch_unwind, resume_unwind},
    process::Command,
};

/// The compiler that the expected outputs in `ui/` were made with: another one may word its own errors otherwise.
const COMPILER: &str = "rustc 1.95.";

#[test]
fn each_mistake_is_reported_where_it_is_made_with_what_to_write_instead() {
    let compared = catch_unwind(|| trybuild::TestCases::new().compile_fail("ui/*.rs"));
    if let Err(failure) = compared {
        if let Some(reason) = other_compiler(&compiler()) {
            panic!("{reason}");
        }
        resume_unwind(failure);
    }
}

#[test]
fn expansions_compile_and_run_wherever_a_trait_does() {
    trybuild::TestCases::new().pass("ui/pass/*.rs");
}

/// What this compiler says of itself.
fn compiler() -> String {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let output = Command::new(rustc).arg("--version").output().expect("a compiler");
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

/// Why outputs may differ that nothing is wrong with, if they may.
fn other_compiler(found: &str) -> Option<String> {
    let differs = !found.starts_with(COMPILER);
    differs.then(|| {
        format!(
            "the outputs in tests/macros/ui were made with {COMPILER}x; this is {found}, whose errors may be worded \
             otherwise. The differences are above; TRYBUILD=overwrite writes the outputs anew"
        )
    })
}

#[test]
fn another_compiler_is_named_beside_the_one_that_the_outputs_were_made_with() {
    let reason = other_compiler("rustc 1.99.0 (0123456 2027-01-01)").unwrap();
    assert!(reason.contains("made with rustc 1.95.x; this is rustc 1.99.0"), "{reason}");
    assert_eq!(other_compiler("rustc 1.95.1 (0123456 2026-05-01)"), None);
}
