//! The texts of a file that people read.

use proc_macro2::{Delimiter, Group, TokenStream, TokenTree};

/// A text, and the line that it begins on, counted from 1.
#[derive(Debug)]
pub(super) struct Text {
    pub(super) line: usize,
    pub(super) text: String,
}

/// The texts of a file by the kind of it: the string literals and doc comments of Rust outside of tests, the comments of
/// protobuf, and Markdown outside of code blocks.
pub(super) fn texts(name: &str, source: &str) -> Vec<Text> {
    match name.rsplit('.').next() {
        Some("rs") => rust(name, source),
        Some("proto") => lines(source, |line| line.split_once("//").map(|(_, comment)| comment)),
        _ => {
            let mut in_code = false;
            lines(source, |line| {
                in_code ^= line.trim_start().starts_with("```");
                Some(line).filter(|_| !in_code)
            })
        }
    }
}

fn lines<'a>(source: &'a str, mut text: impl FnMut(&'a str) -> Option<&'a str>) -> Vec<Text> {
    let found = source.lines().enumerate().filter_map(|(index, line)| Some((index + 1, text(line)?)));
    found.map(|(line, text)| Text { line, text: text.to_owned() }).collect()
}

/// Doc comments are literals too: the lexer makes them `#[doc = "…"]`.
fn rust(name: &str, source: &str) -> Vec<Text> {
    let tokens: TokenStream = source.parse().unwrap_or_else(|error| panic!("{name}: {error}"));
    let mut texts = Vec::new();
    collect(tokens, &mut texts);
    texts
}

fn collect(tokens: TokenStream, texts: &mut Vec<Text>) {
    let mut in_tests = false;
    for token in tokens {
        match token {
            TokenTree::Group(group) if is_cfg_of_tests(&group) => in_tests = true,
            // The item ends.
            TokenTree::Group(group) if in_tests => in_tests = group.delimiter() != Delimiter::Brace,
            TokenTree::Punct(punct) if punct.as_char() == ';' => in_tests = false,
            TokenTree::Group(group) => collect(group.stream(), texts),
            TokenTree::Literal(literal) if !in_tests => {
                let line = literal.span().start().line;
                if let syn::Lit::Str(text) = syn::Lit::new(literal) {
                    texts.push(Text { line, text: text.value() });
                }
            }
            _ => {}
        }
    }
}

/// `[cfg(test)]`, or `[cfg(all(test, …))]`.
fn is_cfg_of_tests(group: &Group) -> bool {
    let text = group.stream().to_string().replace(' ', "");
    group.delimiter() == Delimiter::Bracket && (text == "cfg(test)" || text.starts_with("cfg(all(test,"))
}
