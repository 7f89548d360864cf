//! The public names of each crate's root, as they were agreed on: one that is added or lost shows in a change.

use std::{collections::BTreeSet, env, fs};

use proc_macro2::TokenStream;

use super::sources::{named, root};

/// The crates that programs and transports name.
const CRATES: &[(&str, &str)] = &[
    ("polywire", "runtime/src/lib.rs"),
    ("polywire-core", "runtime/core/src/lib.rs"),
    ("polywire-runner", "runtime/runner/src/lib.rs"),
    ("polywire-conformance", "runtime/conformance/src/lib.rs"),
    ("polywire-services", "services/src/lib.rs"),
];

#[test]
fn the_public_names_are_those_that_were_agreed_on() {
    for (name, lib) in CRATES {
        let source = fs::read_to_string(root().join(lib)).expect("a root");
        let found = names(&source).into_iter().fold(String::new(), |list, name| list + &name + "\n");
        let file = root().join("tests/tests/house/names").join(format!("{name}.txt"));
        if env::var_os("POLYWIRE_UPDATE_DOCS").is_some() {
            fs::write(&file, &found).expect("the list can be written");
        }
        let agreed = fs::read_to_string(&file).unwrap_or_default();
        assert_eq!(
            found,
            agreed,
            "the names of {name}; POLYWIRE_UPDATE_DOCS=1 writes {}, for a change that is meant",
            file.display()
        );
    }
}

/// The names that are public at the root and not hidden from the documentation.
fn names(source: &str) -> BTreeSet<String> {
    let source = without_hidden(source);
    let rooted = source.replace("pub use ", "use crate::");
    let mut names: BTreeSet<_> =
        named(&rooted).into_iter().filter_map(|named| named.path.last().cloned()).collect();
    let words: Vec<_> = source.split_whitespace().collect();
    for item in words.windows(3) {
        if item[0] == "pub"
            && matches!(item[1], "mod" | "fn" | "struct" | "enum" | "trait" | "const" | "type")
        {
            let name = item[2].split(|letter: char| !letter.is_alphanumeric() && letter != '_').next();
            names.extend(name.map(str::to_owned));
        }
    }
    names.remove("self");
    names
}

/// The source without comments, and without the items that are marked `#[doc(hidden)]`.
fn without_hidden(source: &str) -> String {
    let code: Vec<_> = source.lines().filter(|line| !line.trim_start().starts_with("//")).collect();
    let code = code.join("\n");
    let _: TokenStream = code.parse().expect("Rust");
    let mut shown = String::new();
    let mut rest = code.as_str();
    while let Some((before, hidden)) = rest.split_once("#[doc(hidden)]") {
        shown.push_str(before);
        // The item ends with its block or its semicolon, whichever begins first.
        let end = hidden.find(';').unwrap_or(hidden.len());
        let block = hidden.find('{').filter(|begin| *begin < end);
        rest = match block {
            Some(begin) if !hidden[..begin].contains("use ") => &hidden[closing(hidden, begin)..],
            _ => hidden.get(end + 1..).unwrap_or(""),
        };
    }
    shown + rest
}

/// Behind the brace that closes the one here.
fn closing(text: &str, begin: usize) -> usize {
    let mut depth = 0_usize;
    for (index, letter) in text[begin..].char_indices() {
        match letter {
            '{' => depth += 1,
            '}' if depth == 1 => return begin + index + 1,
            '}' => depth -= 1,
            _ => {}
        }
    }
    text.len()
}

#[test]
fn hidden_items_and_comments_are_not_named() {
    let source = "//! pub mod a;\n#[doc(hidden)]\npub mod b { pub use c::d; }\npub use e::{F, g::H};\n\
                  #[doc(hidden)]\npub use i::j;\npub mod k;\nmod l;\npub fn m() {}\n";
    assert_eq!(names(source).into_iter().collect::<Vec<_>>(), ["F", "H", "k", "m"]);
}
