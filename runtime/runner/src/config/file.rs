//! The layer of a TOML file, with the place of each key in it.

use super::{
    error::Problem,
    layer::Layer,
    origin::{Origin, Position},
};
use polywire_core::settings::join;
use serde::{Deserialize as _, de::IntoDeserializer as _};
use std::{fs, ops::Range, path::Path};
use toml::{
    Spanned, Table, Value,
    de::{DeTable, DeValue},
};

/// A file's name and text.
#[derive(Clone, Copy, Debug)]
struct File<'a> {
    path: &'a Path,
    text: &'a str,
}

/// Reads a file from the disk.
pub(super) fn open(path: &Path, problems: &mut Vec<Problem>) -> Layer {
    match fs::read_to_string(path) {
        Ok(text) => parse(path, &text, problems),
        Err(error) => {
            problems.push(Problem {
                origin: Some(Origin::File { path: path.to_owned(), at: None }),
                key: String::new(),
                message: format!("cannot be read: {error}; expected a TOML file"),
            });
            Layer::default()
        }
    }
}

/// Parses the text of a file.
///
/// Malformed TOML gives an empty layer: a partly recovered one would report problems that the file does not have.
pub(super) fn parse(path: &Path, text: &str, problems: &mut Vec<Problem>) -> Layer {
    let file = File { path, text };
    let (table, errors) = DeTable::parse_recoverable(text);
    let mut layer = Layer::default();
    if errors.is_empty() {
        layer.table = file.table("", table.into_inner(), &mut layer, problems);
        return layer;
    }
    problems.extend(errors.iter().map(|error| Problem {
        origin: Some(file.at(error.span().unwrap_or_default())),
        key: String::new(),
        message: format!("not TOML: {}", error.message().replace('\n', ", ")),
    }));
    layer
}

impl File<'_> {
    fn at(&self, span: Range<usize>) -> Origin {
        Origin::File { path: self.path.to_owned(), at: Some(Position::of(span.start, self.text)) }
    }

    fn table(&self, path: &str, table: DeTable<'_>, layer: &mut Layer, problems: &mut Vec<Problem>) -> Table {
        let mut values = Table::new();
        for (name, value) in table {
            let key = join(path, name.get_ref());
            layer.origins.insert(key.clone(), self.at(name.span()));
            if let Some(value) = self.value(&key, value, layer, problems) {
                values.insert(name.into_inner().into_owned(), value);
            }
        }
        values
    }

    fn value(
        &self,
        key: &str,
        value: Spanned<DeValue<'_>>,
        layer: &mut Layer,
        problems: &mut Vec<Problem>,
    ) -> Option<Value> {
        if let DeValue::Table(_) = value.get_ref() {
            let DeValue::Table(table) = value.into_inner() else {
                return None;
            };
            return Some(Value::Table(self.table(key, table, layer, problems)));
        }
        self.note_elements(key, &value, layer);
        match Value::deserialize(value.into_deserializer()) {
            Ok(value) => Some(value),
            // The only such case is an integer beyond 64 bits.
            Err(error) => {
                problems.push(Problem {
                    origin: Some(layer.origin(key)),
                    key: key.to_owned(),
                    message: format!("not a value: {}", error.message()),
                });
                None
            }
        }
    }

    /// Notes where the elements of a list are, and what is inside them.
    fn note_elements(&self, key: &str, value: &Spanned<DeValue<'_>>, layer: &mut Layer) {
        for (index, element) in value.get_ref().as_array().into_iter().flatten().enumerate() {
            let key = format!("{key}[{index}]");
            for (name, value) in element.get_ref().as_table().into_iter().flatten() {
                let key = join(&key, name.get_ref());
                layer.origins.insert(key.clone(), self.at(name.span()));
                self.note_elements(&key, value, layer);
            }
            layer.origins.insert(key, self.at(element.span()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse_str(text: &str) -> (Layer, Vec<String>) {
        let mut problems = Vec::new();
        let layer = parse(Path::new("node.toml"), text, &mut problems);
        (layer, problems.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn keys_and_elements_are_found_where_they_were_written() {
        let (layer, problems) = parse_str("a.b = 1\n[c]\nlist = [\n  'x',\n  'y',\n]\n");
        assert_eq!(problems, [""; 0]);
        assert_eq!(layer.origin("a.b").to_string(), "node.toml:1:3");
        assert_eq!(layer.origin("c").to_string(), "node.toml:2:2");
        assert_eq!(layer.origin("c.list").to_string(), "node.toml:3:1");
        assert_eq!(layer.origin("c.list[1]").to_string(), "node.toml:5:3");
    }

    #[test]
    fn syntax_errors_say_where_they_are_and_leave_nothing_behind() {
        let (layer, problems) = parse_str("good = 1\nbad = \n[open\n");
        assert!(layer.table.is_empty());
        for start in ["node.toml:2:7: not TOML: ", "node.toml:3:6: not TOML: "] {
            let found = problems.iter().any(|line| line.starts_with(start));
            assert!(found, "{start} in {problems:?}");
        }
    }

    #[test]
    fn a_key_that_is_set_twice_is_a_syntax_error() {
        let (_, problems) = parse_str("[a]\nb = 1\nb = 2\n");
        assert!(problems[0].starts_with("node.toml:3:1: not TOML: duplicate key"), "{problems:?}");
    }

    #[test]
    fn an_integer_beyond_64_bits_costs_only_its_own_key() {
        let (layer, problems) = parse_str("a = 99999999999999999999\nb = 1\n");
        assert_eq!(layer.get("b"), Some(&Value::Integer(1)));
        assert!(problems[0].starts_with("node.toml:1:1: a: not a value"), "{problems:?}");
    }
}
