//! Tests that cannot be run everywhere, and must be run where everything that they need is there.

/// Where this is `1`, what a test needs must be there.
pub const REQUIRED: &str = "POLYWIRE_REQUIRE_LAB";

/// Says on stderr that something is not tested, and why. Every test that may pass without having tested goes through
/// here.
///
/// # Panics
/// Where `POLYWIRE_REQUIRE_LAB` is `1`.
#[track_caller]
pub fn skipped(why: impl std::fmt::Display) {
    skipped_unless(std::env::var_os(REQUIRED).is_some_and(|value| value == "1"), why);
}

#[track_caller]
fn skipped_unless(required: bool, why: impl std::fmt::Display) {
    assert!(!required, "{REQUIRED} is 1, so this must not be skipped: {why}");
    eprintln!("SKIPPED: {why}");
}

#[cfg(test)]
mod tests {
    use super::skipped_unless;

    #[test]
    fn a_skip_passes_where_nothing_is_required() {
        skipped_unless(false, "there is no link");
    }

    #[test]
    #[should_panic = "must not be skipped: there is no link"]
    fn a_skip_fails_where_everything_is_required() {
        skipped_unless(true, "there is no link");
    }
}
