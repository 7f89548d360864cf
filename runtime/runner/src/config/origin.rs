//! The origin of a value.

use std::{fmt, path::PathBuf};

/// The origin of a value, lowest layer first.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Origin {
    /// The default.
    Default,
    /// A TOML file.
    File {
        /// The file as given.
        path: PathBuf,
        /// The position; `None` for the whole file.
        at: Option<Position>,
    },
    /// The environment variable of this name.
    Env(String),
    /// The flag of this name, without the dashes.
    Flag(String),
}

/// A position in a text. Both numbers start at 1; the column counts characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position {
    /// The line.
    pub line: usize,
    /// The character within the line.
    pub column: usize,
}

impl Position {
    /// The position of a byte offset; an offset out of bounds is the end.
    pub(super) fn of(offset: usize, text: &str) -> Self {
        let before = &text[..text.floor_char_boundary(offset)];
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        Self { line: before.matches('\n').count() + 1, column: before[line_start..].chars().count() + 1 }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File { path, at: None } => write!(f, "{}", path.display()),
            Self::File { path, at: Some(at) } => write!(f, "{}:{at}", path.display()),
            Self::Env(name) => f.write_str(name),
            Self::Flag(name) => write!(f, "--{name}"),
        }
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.line, self.column)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_count_characters_and_lines_start_at_one() {
        let text = "ä = 1\nöü = 2\n";
        let at = |needle: &str| Position::of(text.find(needle).unwrap(), text).to_string();
        assert_eq!(at("ä"), "1:1");
        assert_eq!(at("1"), "1:5");
        assert_eq!(at("2"), "2:6");
        assert_eq!(Position::of(usize::MAX, text).to_string(), "3:1");
    }
}
