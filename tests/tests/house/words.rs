//! The words of errors, statuses, log lines, help texts and documentation: the field's, and no pronouns for peers and
//! callers.

#[path = "words/scan.rs"]
mod scan;

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use self::scan::{Text, texts};
use super::sources::root;

/// Words that no text has, each with what to write instead.
const BANNED: &[(&str, &str)] = &[
    ("anew", "again"),
    ("anybody", "the caller, a peer, a client"),
    ("anyone", "the caller, a peer, a client"),
    ("everybody", "every caller, all peers"),
    ("everyone", "every caller, all peers"),
    ("nobody", "no caller, no peer, unused, unreachable"),
    ("somebody", "a caller, a peer, a client"),
    ("someone", "a caller, a peer, a client"),
    ("thence", "from there"),
    ("thereof", "of it"),
    ("thereto", "to it"),
    ("whoever", "the caller that, the peer that, any code that"),
    ("whom", "the peer, the target"),
    ("whomever", "the peer, the target"),
];

/// Names of this house for things that have a name in the field.
const OF_THE_HOUSE: &[(&str, &str)] = &[
    ("lane", "connection"),
    ("lanes", "connections"),
    ("pulse", "liveness"),
    ("seam", "transport trait, interface"),
    ("tally", "metrics"),
    ("vetted", "verified"),
];

/// Beginnings of sentences that put the subject last.
const INVERTED: &[(&str, &str)] = &[
    ("Of what", "subject first"),
    ("Of which", "subject first"),
    ("Of whom", "subject first"),
    ("Who", "The peer that, the caller that"),
    ("Whose", "The peer whose, the caller whose"),
];

/// The directories and files that are held to these words.
const HELD: &[&str] = &[
    "CONTRIBUTING.md",
    "README.md",
    "SECURITY.md",
    "docs",
    "examples",
    "fuzz",
    "macros",
    "proto",
    "runtime",
    "services",
];

/// Those whose texts reach no user, and the history.
const EXEMPT: &[&str] = &["CHANGELOG.md", "benches", "tests"];

#[test]
fn every_text_is_in_plain_words() {
    let faults: Vec<_> = held().iter().flat_map(|file| faults_of(file)).collect();
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn every_file_is_held_or_exempt() {
    let mut files = BTreeSet::new();
    collect(&root(), &mut files);
    assert!(files.len() > 100, "{files:?}");
    for file in files {
        assert!(list_of(&file).is_some(), "{} is in no list", file.display());
    }
    for path in [HELD, EXEMPT].concat() {
        assert!(root().join(path).exists(), "{path} does not exist");
    }
}

#[test]
fn a_word_is_found_in_each_kind_of_text_and_not_in_tests() {
    let source = r##"
//! Nobody reads this.

/// Whom it calls.
pub struct Target;

#[derive(Error)]
enum Error {
    #[error("someone else has {0}")]
    Taken(u16),
}

fn refuse() -> Status {
    tracing::warn!("the line goes on, \
        and anybody sees it");
    Status::aborted(format!(r#"dialled {} anew"#, 1))
}

#[cfg(test)]
mod tests {
    /// Nobody.
    const TEXT: &str = "nobody";
}

/// Who does not answer is left out. Of what is left the seam takes two.
fn nobody() {}
"##;
    let found: Vec<_> = faults("a.rs", source)
        .iter()
        .map(|fault| fault.split(": ").take(2).collect::<Vec<_>>().join(" "))
        .collect();
    assert_eq!(
        found,
        [
            "a.rs:2 \"nobody\"",
            "a.rs:4 \"whom\"",
            "a.rs:9 \"someone\"",
            "a.rs:14 \"anybody\"",
            "a.rs:16 \"anew\"",
            "a.rs:25 \"seam\"",
            "a.rs:25 \"Of what\"",
            "a.rs:25 \"Who\"",
        ]
    );
    assert_eq!(faults("a.proto", "message A {\n  // Whoever answers.\n  string whom = 1;\n}\n").len(), 1);
    assert_eq!(faults("a.md", "`anyone` of the rules is no fault, and anyone is.\n").len(), 1);
    assert_eq!(faults("a.md", "Nobody.\n\n```rust\n// nobody\n```\nSomebody.\n").len(), 2);
}

/// The files that are held, without those of tests.
fn held() -> Vec<PathBuf> {
    let mut files = BTreeSet::new();
    for path in HELD {
        collect(&root().join(path), &mut files);
    }
    files.retain(|file| list_of(file) == Some(HELD));
    assert!(!files.is_empty());
    files.into_iter().collect()
}

/// The list with the longest path to the file.
fn list_of(file: &Path) -> Option<&'static [&'static str]> {
    let paths = [HELD, EXEMPT].into_iter().flat_map(|list| list.iter().map(move |path| (*path, list)));
    let around = paths.filter(|(path, _)| file.starts_with(root().join(path)));
    around.max_by_key(|(path, _)| path.len()).map(|(_, list)| list)
}

fn collect(path: &Path, files: &mut BTreeSet<PathBuf>) {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    if path.is_dir() {
        if !matches!(name, "tests" | "target" | "snapshots") && !name.starts_with('.') {
            for entry in fs::read_dir(path).unwrap() {
                collect(&entry.unwrap().path(), files);
            }
        }
        return;
    }
    let is_text =
        matches!(path.extension().and_then(|extension| extension.to_str()), Some("rs" | "proto" | "md"));
    if is_text && name != "tests.rs" {
        files.insert(path.to_owned());
    }
}

fn faults_of(file: &Path) -> Vec<String> {
    let source = fs::read_to_string(file).unwrap();
    let name = file.strip_prefix(root()).unwrap().display().to_string();
    faults(&name, &source)
}

/// The faults of a file, a line each: where it is, what is there and what to write.
fn faults(name: &str, source: &str) -> Vec<String> {
    texts(name, source).iter().flat_map(|text| faults_in(name, text)).collect()
}

fn faults_in(name: &str, Text { line, text }: &Text) -> Vec<String> {
    let text = &without_keywords(text);
    let words: Vec<_> = text.split(|c: char| !c.is_alphanumeric()).map(str::to_lowercase).collect();
    let banned =
        BANNED.iter().chain(OF_THE_HOUSE).filter(|(word, _)| words.iter().any(|found| found == word));
    let inverted = INVERTED.iter().filter(|(start, _)| begins_a_sentence(start, text));
    banned
        .chain(inverted)
        .map(|(word, instead)| format!("{name}:{line}: {word:?}: write {instead}: {}", text.trim()))
        .collect()
}

/// A word that the configuration has for every caller, where a text quotes it.
const KEYWORD: &str = "anyone";

/// The text without quotations of the keyword; nothing of a text that is the keyword.
fn without_keywords(text: &str) -> String {
    if text == KEYWORD {
        return String::new();
    }
    let quoted = ['`', '"'].map(|quote| format!("{quote}{KEYWORD}{quote}"));
    quoted.iter().fold(text.to_owned(), |text, quoted| text.replace(quoted, ""))
}

/// Whether a sentence of the text begins with these words.
fn begins_a_sentence(start: &str, text: &str) -> bool {
    let ends = |before: &str| before.trim_end().is_empty() || before.trim_end().ends_with(['.', ':', ';']);
    let goes_on = |rest: &str| rest.starts_with(|c: char| !c.is_alphanumeric());
    text.match_indices(start).any(|(at, _)| ends(&text[..at]) && goes_on(&text[at + start.len()..]))
}
