//! From merged values to a [`Config`], past every wrong value on the way.

use super::{
    Config,
    error::Problem,
    explain::{self, Place},
    layer::{Layer, is_inside},
    section::{Outline, find, outlines},
    suggest::suggest,
};
use serde_path_to_error::Track;
use std::collections::BTreeMap;
use toml::{Table, Value};

/// What serde stopped at, and why.
pub(super) type Error = serde_path_to_error::Error<toml::de::Error>;

/// Whether these values have the types that a configuration wants; unknown keys do not matter.
pub(super) fn accepts(layer: &Layer) -> bool {
    no_sections(layer, &outlines()).is_empty() && attempt(&layer.table, |_| ()).is_ok()
}

/// Reads the values, and reports those that are wrong or unknown.
///
/// serde stops at the first error, so what it stopped at is taken out of the layer, and reading
/// starts again: every key has a default and can be missed.
pub(super) fn read(layer: &mut Layer, problems: &mut Vec<Problem>) -> Config {
    let mut reader = Reader { layer, problems, outlines: outlines(), removed: BTreeMap::new() };
    reader.expect_sections();
    loop {
        let mut unknown = Vec::new();
        match attempt(&reader.layer.table, |key| unknown.push(key)) {
            Ok(config) => {
                unknown.iter().for_each(|key| reader.report_unknown(key));
                return config;
            }
            Err(error) if reader.reject(&error) => {}
            Err(_) => return Config::default(),
        }
    }
}

fn attempt(table: &Table, mut unknown: impl FnMut(String)) -> Result<Config, Error> {
    let mut track = Track::new();
    let values = Value::Table(table.clone());
    let source = serde_path_to_error::Deserializer::new(values, &mut track);
    serde_ignored::deserialize(source, |path| unknown(path.to_string()))
        .map_err(|error| Error::new(track.path(), error))
}

/// The sections that are there, but are something else; serde would also fill a section from a
/// list, by position.
fn no_sections(layer: &Layer, outlines: &[Outline]) -> Vec<String> {
    let paths = outlines.iter().map(|section| &section.path);
    paths
        .filter(|path| !path.is_empty())
        .filter(|path| layer.get(path).is_some_and(|value| !value.is_table()))
        .cloned()
        .collect()
}

struct Reader<'a> {
    layer: &'a mut Layer,
    problems: &'a mut Vec<Problem>,
    outlines: Vec<Outline>,
    /// How many elements were taken out of each list: what follows them has moved.
    removed: BTreeMap<String, usize>,
}

impl Reader<'_> {
    fn expect_sections(&mut self) {
        for path in no_sections(self.layer, &self.outlines) {
            let found = self.layer.get(&path).map(explain::show).unwrap_or_default();
            self.report(&path, format!("expected a section [{path}], found {found}"));
            self.layer.remove(&path);
        }
    }

    /// Reports what serde stopped at and takes it out; false when there is nothing to take out.
    fn reject(&mut self, error: &Error) -> bool {
        let reason = error.inner().message();
        let Place { key, index } = Place::of(error);
        let key = self.known_around(key);
        let known = find(&key, &self.outlines);
        let is_list = self.layer.get(&key).is_some_and(Value::is_array);
        let (shown, expected, value) = match index.filter(|_| is_list) {
            Some(index) => {
                let removed = self.removed.entry(key.clone()).or_default();
                let shown = format!("{key}[{}]", index + *removed);
                *removed += 1;
                let element = self.layer.remove_element(&key, index);
                (shown, known.map(|key| key.element), element)
            }
            None => {
                let value = self.layer.remove(&key);
                (key, known.map(|key| key.expected), value)
            }
        };
        let Some(value) = value else {
            self.report(&shown, reason.to_owned());
            return false;
        };
        self.report(&shown, explain::mismatch(expected, &value, reason));
        true
    }

    /// The declared key that `path` is in, which is as much as can be taken out by itself.
    fn known_around(&self, path: String) -> String {
        self.outlines
            .iter()
            .flat_map(Outline::full_keys)
            .map(|(key, _)| key)
            .find(|key| is_inside(&path, key))
            .unwrap_or(path)
    }

    fn report_unknown(&mut self, key: &str) {
        let is_section = self.layer.get(key).is_some_and(Value::is_table);
        let message = suggest(key, is_section, &self.outlines);
        self.report(key, message);
    }

    fn report(&mut self, key: &str, message: String) {
        self.problems.push(Problem { origin: Some(self.layer.origin(key)), key: key.to_owned(), message });
    }
}
