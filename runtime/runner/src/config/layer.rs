//! Values with their origins, in layers.

use super::origin::Origin;
use polywire_core::settings::join;
use std::collections::BTreeMap;
use toml::{Table, Value};

/// The values of one or several layers, with the origin of each.
#[derive(Clone, Debug, Default)]
pub(super) struct Layer {
    /// The values, nested as in a file.
    pub(super) table: Table,
    /// The origins by dotted key, followed by `[2]` for an element of a list.
    pub(super) origins: BTreeMap<String, Origin>,
}

impl Layer {
    /// A layer that sets a single key.
    pub(super) fn single(key: &str, value: Value, origin: &Origin) -> Self {
        let mut origins = BTreeMap::new();
        note(key, &value, origin, &mut origins);
        Self { table: nest(key, value), origins }
    }

    /// Puts another layer on top: its values replace those of the same key.
    pub(super) fn cover(&mut self, upper: Self) {
        for key in upper.origins.keys() {
            self.forget_values_around(key);
        }
        for key in upper.origins.keys() {
            if !upper.get(key).is_some_and(Value::is_table) {
                self.origins.retain(|other, _| !is_inside(other, key));
            }
        }
        cover(&mut self.table, upper.table);
        self.origins.extend(upper.origins);
    }

    /// Removes the origins of scalar values that this key replaces with tables.
    fn forget_values_around(&mut self, key: &str) {
        let around = key.match_indices('.').map(|(end, _)| &key[..end]);
        for outer in around {
            if self.get(outer).is_some_and(|value| !value.is_table()) {
                self.origins.retain(|other, _| other != outer && !is_inside(other, outer));
            }
        }
    }

    /// The origin of a key, of anything within it, or of the nearest table around it.
    pub(super) fn origin(&self, key: &str) -> Origin {
        if !self.origins.contains_key(key)
            && let Some((_, origin)) = self.origins.iter().find(|(other, _)| is_inside(other, key))
        {
            return origin.clone();
        }
        let mut around = Some(key);
        while let Some(here) = around {
            if let Some(origin) = self.origins.get(here) {
                return origin.clone();
            }
            around = here.rfind(['.', '[']).map(|end| &here[..end]);
        }
        Origin::Default
    }

    /// The value of a key.
    pub(super) fn get(&self, key: &str) -> Option<&Value> {
        let mut parts = key.split('.');
        let first = self.table.get(parts.next()?)?;
        parts.try_fold(first, |value, part| value.get(part))
    }

    /// Removes a key and returns its value.
    pub(super) fn remove(&mut self, key: &str) -> Option<Value> {
        let Some((parent, name)) = key.rsplit_once('.') else {
            return self.table.remove(key);
        };
        let mut parts = parent.split('.');
        let first = self.table.get_mut(parts.next()?)?;
        let table = parts.try_fold(first, |value, part| value.get_mut(part))?;
        table.as_table_mut()?.remove(name)
    }

    /// Removes an element of a list and returns it.
    pub(super) fn remove_element(&mut self, list: &str, index: usize) -> Option<Value> {
        let mut value = self.remove(list)?;
        let elements = value.as_array_mut()?;
        let element = (index < elements.len()).then(|| elements.remove(index));
        cover(&mut self.table, nest(list, value));
        element
    }
}

/// A table with this key alone.
fn nest(key: &str, value: Value) -> Table {
    match key.split_once('.') {
        None => Table::from_iter([(key.to_owned(), value)]),
        Some((outer, inner)) => Table::from_iter([(outer.to_owned(), Value::Table(nest(inner, value)))]),
    }
}

/// Whether `inner` is an element of the list, or a key of the table, `outer`.
pub(super) fn is_inside(inner: &str, outer: &str) -> bool {
    inner.strip_prefix(outer).is_some_and(|rest| rest.starts_with(['.', '[']))
}

fn note(key: &str, value: &Value, origin: &Origin, into: &mut BTreeMap<String, Origin>) {
    into.insert(key.to_owned(), origin.clone());
    for (name, inner) in value.as_table().into_iter().flatten() {
        note(&join(key, name), inner, origin, into);
    }
}

fn cover(lower: &mut Table, upper: Table) {
    for (name, value) in upper {
        match (lower.get_mut(&name), value) {
            (Some(Value::Table(below)), Value::Table(above)) => cover(below, above),
            (_, value) => {
                lower.insert(name, value);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layer(key: &str, value: &str, flag: &str) -> Layer {
        Layer::single(key, value.parse().unwrap(), &Origin::Flag(flag.to_owned()))
    }

    fn flag(name: &str) -> Origin {
        Origin::Flag(name.to_owned())
    }

    #[test]
    fn an_upper_layer_replaces_single_keys_and_leaves_their_neighbours() {
        let mut layers = layer("a.b", "1", "low");
        layers.cover(layer("a.c", "1", "low"));
        layers.cover(layer("a.b", "2", "high"));
        assert_eq!(layers.get("a.b"), Some(&Value::Integer(2)));
        assert_eq!(layers.get("a.c"), Some(&Value::Integer(1)));
        assert_eq!(layers.origin("a.b"), flag("high"));
        assert_eq!(layers.origin("a.c"), flag("low"));
    }

    #[test]
    fn an_origin_does_not_outlive_the_value_that_it_was_for() {
        let mut layers = layer("a", "{ b = 1 }", "low");
        layers.cover(layer("a", "'text'", "high"));
        assert_eq!(layers.origin("a.b"), flag("high"));
    }

    #[test]
    fn what_is_a_table_by_a_key_in_it_was_set_by_that_key() {
        let mut layers = layer("a.b", "'text'", "low");
        layers.cover(layer("a.b.c", "1", "high"));
        assert_eq!(layers.origin("a.b"), flag("high"));
        assert_eq!(layers.origin("a"), flag("high"));
    }

    #[test]
    fn what_was_taken_out_is_gone() {
        let mut layers = layer("a.list", "[1, 2, 3]", "x");
        assert_eq!(layers.remove_element("a.list", 1), Some(Value::Integer(2)));
        assert_eq!(layers.get("a.list").unwrap().to_string(), "[1, 3]");
        assert!(layers.remove("a.list").is_some());
        assert_eq!(layers.get("a.list"), None);
        assert_eq!(layers.remove("a.list"), None);
    }
}
