use std::{collections::BTreeSet, fs, path::Path};

use crate::page::{self, Page, root};

fn chapters() -> BTreeSet<String> {
    Page::read("docs/src/SUMMARY.md").links().into_iter().collect()
}

#[test]
fn the_summary_has_every_chapter_and_every_chapter_is_there() {
    let files = fs::read_dir(root().join("docs/src")).unwrap();
    let mut files: BTreeSet<_> = files.map(|file| file.unwrap().file_name().into_string().unwrap()).collect();
    assert!(files.remove("SUMMARY.md"));
    assert_eq!(chapters(), files);
}

#[test]
fn every_link_leads_to_a_file_and_its_fragment_to_a_heading() {
    let mut wrong = Vec::new();
    for page in page::all() {
        let directory = page.path.parent().unwrap_or(Path::new("")).to_owned();
        for link in page.links().iter().filter(|link| !link.starts_with("https://")) {
            let (file, fragment) = link.split_once('#').unwrap_or((link, ""));
            let path = if file.is_empty() { page.path.clone() } else { directory.join(file) };
            let leads = root().join(&path).exists()
                && (fragment.is_empty()
                    || Page::read(path).anchors().iter().any(|anchor| anchor == fragment));
            if !leads {
                wrong.push(format!("{}: {link}", page.path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "links that lead nowhere: {wrong:#?}");
}

#[test]
fn the_readme_has_at_most_180_lines() {
    let lines = Page::read("README.md").text.lines().count();
    assert!(lines <= 180, "{lines} lines; what is not for a first reader belongs into docs/");
}

#[test]
fn the_readme_names_the_rust_version_of_the_workspace() {
    let manifest = Page::read("Cargo.toml").text;
    let (_, rest) = manifest.split_once("\nrust-version = \"").unwrap();
    let version = rest.split('"').next().unwrap();
    let readme = Page::read("README.md").text;
    for sentence in [format!("Rust {version} or newer"), format!("supported Rust version is {version},")] {
        assert!(readme.contains(&sentence), "the README does not say {sentence:?}");
    }
}

/// The version that the workspace asks for.
fn version<'a>(manifest: &'a str, name: &str) -> &'a str {
    // `"0.14"`, or `{ version = "0.14", … }`.
    let (_, rest) = manifest.split_once(&format!("\n{name} = ")).unwrap();
    rest.split('"').nth(1).unwrap()
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split_whitespace().map(|word| word.trim_matches(|c: char| c.is_ascii_punctuation()))
}

#[test]
fn the_versions_that_a_reader_must_match_are_those_of_the_workspace() {
    let manifest = Page::read("Cargo.toml").text;
    for page in page::all() {
        let (prose, text) = (page.prose(), &page.text);
        let pairs: Vec<_> = words(&prose).zip(words(&prose).skip(1)).collect();
        for name in ["axum", "iroh", "prost", "tonic"] {
            let said = pairs.iter().filter(|(word, _)| *word == name).map(|(_, next)| *next);
            let said = said.filter(|next| next.starts_with(|c: char| c.is_ascii_digit()));
            let added = words(text).filter_map(|word| word.strip_prefix(name)?.strip_prefix('@'));
            for found in said.chain(added) {
                assert_eq!(found, version(&manifest, name), "{:?}: {name}", page.path);
            }
        }
    }
    let first = Page::read("docs/src/first-service.md").text;
    for name in ["iroh", "prost", "tonic"] {
        assert!(first.contains(&format!("{name}@{}", version(&manifest, name))), "no version of {name}");
    }
}
