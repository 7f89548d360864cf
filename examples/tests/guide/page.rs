use std::{
    fs,
    path::{Path, PathBuf},
};

/// A page of Markdown in the repository.
pub(crate) struct Page {
    /// Its path from the root of the repository.
    pub(crate) path: PathBuf,
    pub(crate) text: String,
}

/// A fenced block.
#[derive(Debug, PartialEq)]
pub(crate) struct Block {
    /// What stands behind the fence: `rust,no_run`.
    pub(crate) kind: String,
    pub(crate) text: String,
}

/// The root of the repository.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// The README and the chapters of the guide.
pub(crate) fn all() -> Vec<Page> {
    let chapters = fs::read_dir(root().join("docs/src")).unwrap();
    let mut paths: Vec<_> =
        chapters.map(|file| Path::new("docs/src").join(file.unwrap().file_name())).collect();
    paths.push("README.md".into());
    paths.push("examples/README.md".into());
    paths.sort();
    paths.into_iter().map(Page::read).collect()
}

impl Page {
    pub(crate) fn read(path: impl Into<PathBuf>) -> Self {
        let path = path.into();
        let text = fs::read_to_string(root().join(&path)).unwrap_or_else(|error| panic!("{path:?}: {error}"));
        Self { path, text }
    }

    pub(crate) fn blocks(&self) -> Vec<Block> {
        let mut blocks = Vec::new();
        let mut lines = self.text.lines();
        while let Some(line) = lines.next() {
            let Some(kind) = line.strip_prefix("```") else { continue };
            let text: String =
                lines.by_ref().take_while(|line| *line != "```").flat_map(|line| [line, "\n"]).collect();
            blocks.push(Block { kind: kind.to_owned(), text });
        }
        blocks
    }

    /// The text outside of blocks.
    pub(crate) fn prose(&self) -> String {
        let parts = self.text.split("\n```").step_by(2);
        parts.flat_map(|part| [part, "\n"]).collect()
    }

    /// The fragments that its headings have, as GitHub and mdBook make them.
    pub(crate) fn anchors(&self) -> Vec<String> {
        let prose = self.prose();
        let headings = prose.lines().filter(|line| line.starts_with('#'));
        headings.map(|heading| anchor(heading.trim_start_matches('#').trim())).collect()
    }

    /// The destinations of its links.
    pub(crate) fn links(&self) -> Vec<String> {
        let prose = self.prose();
        let links = prose.split("](").skip(1).filter_map(|rest| rest.split(')').next());
        links.map(str::to_owned).collect()
    }
}

fn anchor(heading: &str) -> String {
    let kept = heading.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
    kept.map(|c| if c == ' ' { '-' } else { c.to_ascii_lowercase() }).collect()
}

#[test]
fn a_page_is_taken_apart() {
    let text = "# A page, of two parts\n[x](y.md#z)\n```rust,no_run\n# [no](link)\n```\nand ](w\n".to_owned();
    let page = Page { path: "page.md".into(), text };
    let block = Block { kind: "rust,no_run".to_owned(), text: "# [no](link)\n".to_owned() };
    assert_eq!(page.blocks(), [block]);
    assert_eq!(page.anchors(), ["a-page-of-two-parts"]);
    assert_eq!(page.links(), ["y.md#z", "w\n\n"]);
}
