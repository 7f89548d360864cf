//! A file is one noun, and short.

use std::fs;

use super::sources::{files, root};

/// The longest file. One that asks for more has a second noun.
const LONGEST: usize = 400;

#[test]
fn no_file_is_long() {
    let root = root();
    let mut long = Vec::new();
    for directory in ["macros", "runtime", "services", "proto", "tests", "examples", "fuzz"] {
        for file in files(&root.join(directory), true) {
            let source = fs::read_to_string(root.join(directory).join(&file)).expect("a source");
            let lines = source.lines().count();
            if lines > LONGEST {
                long.push(format!(
                    "{directory}/{} has {lines} lines; expected at most {LONGEST}",
                    file.display()
                ));
            }
        }
    }
    assert!(long.is_empty(), "{}", long.join("\n"));
}
