//! What must hold for every input of a parser that reads what peers send: a check for each, which panics where it does not.
//!
//! libFuzzer plays them (`./test --fuzz SECONDS`), and a test plays the inputs in `fuzz/corpus`. A check more is a module here
//! with its row in [`CHECKS`], a file in `fuzz/fuzz_targets` with its entry in `fuzz/Cargo.toml`, and a directory with a few
//! inputs in `fuzz/corpus`: the test says what is missing.

pub mod jwt;
pub mod token;

/// A check of one parser.
#[derive(Clone, Copy, Debug)]
pub struct Check {
    /// The name of its target and of its corpus.
    pub name: &'static str,
    /// Checks one input.
    ///
    /// # Panics
    /// When the property does not hold.
    pub run: fn(&[u8]),
}

/// All checks, by name.
pub const CHECKS: &[Check] =
    &[Check { name: "jwt", run: jwt::check }, Check { name: "token", run: token::check }];
