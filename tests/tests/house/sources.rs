//! The sources of the workspace, and the paths that they name.

use std::{
    fs,
    path::{Path, PathBuf},
};

use proc_macro2::{Delimiter, TokenStream, TokenTree};

/// A path that a file names, from the root of its crate on, and the line where it does.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Named {
    pub(super) line: usize,
    pub(super) path: Vec<String>,
}

/// The workspace's directory.
pub(super) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("tests/ is in the workspace").to_owned()
}

/// The files of Rust below this directory, sorted, by their paths in it; those of tests last where they are asked for.
pub(super) fn files(directory: &Path, with_tests: bool) -> Vec<PathBuf> {
    let mut found = Vec::new();
    walk(directory, &mut found);
    let mut files: Vec<_> =
        found.into_iter().map(|file| file.strip_prefix(directory).expect("it is below").to_owned()).collect();
    files.retain(|file| with_tests || !is_of_tests(file));
    files.sort();
    files
}

fn walk(directory: &Path, found: &mut Vec<PathBuf>) {
    let entries = fs::read_dir(directory).unwrap_or_else(|error| panic!("{}: {error}", directory.display()));
    for entry in entries {
        let path = entry.expect("an entry of a directory").path();
        if path.is_dir() && path.file_name().is_none_or(|name| name != "target") {
            walk(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

fn is_of_tests(file: &Path) -> bool {
    file.components().any(|part| matches!(part.as_os_str().to_str(), Some("tests" | "tests.rs")))
}

/// Every path of its own crate that this source names outside of its tests: in `use` declarations, and elsewhere.
pub(super) fn named(source: &str) -> Vec<Named> {
    let tokens: TokenStream = source.parse().expect("Rust");
    let mut named = Vec::new();
    collect(tokens, &mut named);
    named
}

fn collect(tokens: TokenStream, named: &mut Vec<Named>) {
    let tokens: Vec<_> = tokens.into_iter().collect();
    let mut index = 0;
    let mut in_tests = false;
    while let Some(token) = tokens.get(index) {
        match token {
            TokenTree::Group(group) => {
                let text = group.stream().to_string().replace(' ', "");
                let marks_tests = group.delimiter() == Delimiter::Bracket
                    && (text == "cfg(test)" || text.starts_with("cfg(all(test,"));
                if marks_tests {
                    in_tests = true;
                } else if in_tests {
                    in_tests = group.delimiter() != Delimiter::Brace;
                } else {
                    collect(group.stream(), named);
                }
            }
            TokenTree::Punct(punct) if punct.as_char() == ';' => in_tests = false,
            TokenTree::Ident(ident) if *ident == "crate" && !in_tests && is_path(&tokens, index + 1) => {
                let line = ident.span().start().line;
                tree(&tokens[index + 3..], &mut Vec::new(), line, named);
            }
            _ => {}
        }
        index += 1;
    }
}

/// Whether `::` follows here.
fn is_path(tokens: &[TokenTree], index: usize) -> bool {
    let is_colon =
        |token: Option<&TokenTree>| matches!(token, Some(TokenTree::Punct(punct)) if punct.as_char() == ':');
    is_colon(tokens.get(index)) && is_colon(tokens.get(index + 1))
}

/// The paths of a tree `a::{b, c::d}` behind this prefix.
fn tree(tokens: &[TokenTree], prefix: &mut Vec<String>, line: usize, named: &mut Vec<Named>) {
    match tokens.first() {
        Some(TokenTree::Ident(ident)) if is_path(tokens, 1) => {
            prefix.push(ident.to_string());
            tree(&tokens[3..], prefix, line, named);
            prefix.pop();
        }
        Some(TokenTree::Ident(ident)) => {
            let path = prefix.iter().cloned().chain([ident.to_string()]).collect();
            named.push(Named { line: ident.span().start().line, path });
        }
        Some(TokenTree::Group(group)) if group.delimiter() == Delimiter::Brace => {
            let inside: Vec<_> = group.stream().into_iter().collect();
            for part in
                inside.split(|token| matches!(token, TokenTree::Punct(punct) if punct.as_char() == ','))
            {
                // Nothing is behind the last comma.
                if !part.is_empty() {
                    tree(part, prefix, line, named);
                }
            }
        }
        // A glob, or the end of what a type names.
        _ => named.push(Named { line, path: prefix.clone() }),
    }
}

#[test]
fn paths_are_found_in_trees_and_in_code_and_not_in_tests() {
    let source = "use crate::{Channel, balance::{self, picker::Order,}};\nfn a(b: crate::wire::Frame) {}\n\
                  #[cfg(test)]\nmod tests {\n    use crate::gateway::Gateway;\n}\nuse crate::code;\n";
    let found: Vec<_> = named(source).into_iter().map(|named| (named.line, named.path.join("::"))).collect();
    let expected = [
        (1, "Channel"),
        (1, "balance::self"),
        (1, "balance::picker::Order"),
        (2, "wire::Frame"),
        (7, "code"),
    ];
    assert_eq!(found, expected.map(|(line, path)| (line, path.to_owned())));
}
