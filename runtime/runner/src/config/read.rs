//! Converts merged values to a [`Config`] and reports every invalid value.

use super::{
    Config,
    error::Problem,
    explain::{self, Place},
    layer::{Layer, is_inside},
    outlines::{find, outlines},
    registered,
    suggest::suggest,
};
use crate::{
    section::{ReadError, read_section},
    transports::DynTransport,
};
use polywire_core::settings::{Outline, join};
use std::{collections::BTreeMap, sync::Arc};
use toml::{Table, Value};

/// Whether the values have the types of a configuration. Unknown keys are accepted.
pub(super) fn accepts(layer: &Layer) -> bool {
    let fits = |transport: Arc<dyn DynTransport>| match layer.get(&registered::path(&*transport)) {
        Some(Value::Table(section)) => transport.read(section, &mut |_| ()).is_ok(),
        _ => true,
    };
    no_sections(layer, &outlines()).is_empty()
        && read_section::<Config>(&layer.table, &mut |_| ()).is_ok()
        && registered::transports().all(fits)
}

/// Reads the values, and reports invalid values and unknown keys.
///
/// Serde stops at the first error. That value is removed from the layer and reading starts over, as every key has a
/// default.
pub(super) fn read(layer: &mut Layer, problems: &mut Vec<Problem>) -> Config {
    let mut reader = Reader { layer, problems, outlines: outlines(), removed: BTreeMap::new() };
    reader.expect_sections();
    let read = |table: &Table, unknown: &mut dyn FnMut(String)| read_section::<Config>(table, unknown);
    let mut config = reader.section("", &read).unwrap_or_default();
    for transport in registered::transports() {
        let path = registered::path(&*transport);
        if reader.layer.get(&path).is_some()
            && let Some(section) = reader.section(&path, &|table, unknown| transport.read(table, unknown))
        {
            config.transport.registered.put(transport.dyn_name(), section);
        }
    }
    config
}

/// A function that reads a section's values and passes on unknown keys.
type Read<'a, T> = dyn Fn(&Table, &mut dyn FnMut(String)) -> Result<T, ReadError> + 'a;

/// The sections whose value is not a table. Serde would also fill a section from a list, by position.
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
    /// The number of elements removed from each list, which shifts the following ones.
    removed: BTreeMap<String, usize>,
}

impl Reader<'_> {
    /// Reads the section at this path and removes every invalid value; `None` if that is impossible.
    fn section<T>(&mut self, path: &str, read: &Read<'_, T>) -> Option<T> {
        loop {
            let table = match path {
                "" => self.layer.table.clone(),
                _ => self.layer.get(path).and_then(Value::as_table).cloned().unwrap_or_default(),
            };
            let mut unknown = Vec::new();
            match read(&table, &mut |key| unknown.push(join(path, &key))) {
                Ok(section) => {
                    let registered: Vec<_> =
                        registered::transports().map(|transport| registered::path(&*transport)).collect();
                    unknown.retain(|key| !registered.contains(key));
                    unknown.iter().for_each(|key| self.report_unknown(key));
                    return Some(section);
                }
                Err(error) if self.reject(path, &error) => {}
                Err(_) => return None,
            }
        }
    }

    fn expect_sections(&mut self) {
        for path in no_sections(self.layer, &self.outlines) {
            let found = self.layer.get(&path).map(explain::show).unwrap_or_default();
            self.report(&path, format!("expected a section [{path}], found {found}"));
            self.layer.remove(&path);
        }
    }

    /// Reports and removes the value at which serde stopped; `false` if there is none.
    fn reject(&mut self, path: &str, error: &ReadError) -> bool {
        let reason = error.inner().message();
        let Place { key, index } = Place::of(error);
        let key = self.known_around(if key.is_empty() { path.to_owned() } else { join(path, &key) });
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

    /// The declared key that contains `path`, which is the smallest removable unit.
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
