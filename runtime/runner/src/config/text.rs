//! The layers of environment variables and flags, whose values are text.

use super::{
    error::Problem,
    layer::Layer,
    origin::Origin,
    outlines::{find, outlines},
    read::accepts,
};
use polywire_core::settings::{Outline, path};
use std::{
    collections::BTreeMap,
    ffi::{OsStr, OsString},
};
use toml::Value;

/// The prefix of environment variables, in upper or lower case.
const PREFIX: &str = "POLYWIRE__";

/// The layer of the environment; other variables are ignored.
pub(super) fn environment(variables: &[(String, OsString)], problems: &mut Vec<Problem>) -> Layer {
    let mut texts = Texts::new(problems);
    let mut seen = BTreeMap::<String, &str>::new();
    for (name, text) in variables {
        let Some(key) = variable_key(name) else {
            continue;
        };
        let origin = Origin::Env(name.clone());
        // The environment has no order, so neither of two spellings takes precedence.
        if let Some(other) = seen.insert(key.clone(), name) {
            texts.report(&origin, &key, format!("already set by {other}; expected one variable per key"));
        }
        texts.put(&key, text, origin);
    }
    texts.layer()
}

/// The layer of flags. Of two flags for one key the later wins, as usual on a command line.
pub(super) fn flags(flags: &[(String, OsString)], problems: &mut Vec<Problem>) -> Layer {
    let mut texts = Texts::new(problems);
    for (key, text) in flags {
        texts.put(key, text, Origin::Flag(key.clone()));
    }
    texts.layer()
}

/// Whether a variable of this name belongs to the configuration.
pub(super) fn is_ours(name: &str) -> bool {
    variable_key(name).is_some()
}

fn variable_key(name: &str) -> Option<String> {
    let (prefix, key) = name.split_at_checked(PREFIX.len())?;
    prefix.eq_ignore_ascii_case(PREFIX).then(|| key.to_ascii_lowercase().replace("__", "."))
}

/// Converts the texts of one layer to values.
struct Texts<'a> {
    layer: Layer,
    /// Elements of lists that are given one by one, by the list's key and the index.
    elements: BTreeMap<String, BTreeMap<usize, (String, Origin)>>,
    outlines: Vec<Outline>,
    problems: &'a mut Vec<Problem>,
}

impl<'a> Texts<'a> {
    fn new(problems: &'a mut Vec<Problem>) -> Self {
        Self { layer: Layer::default(), elements: BTreeMap::new(), outlines: outlines(), problems }
    }

    fn report(&mut self, origin: &Origin, key: &str, message: String) {
        self.problems.push(Problem { origin: Some(origin.clone()), key: key.to_owned(), message });
    }

    /// Adds the text of a key or of an element, such as `cluster.peers.0`.
    fn put(&mut self, key: &str, text: &OsStr, origin: Origin) {
        let Some(text) = self.unicode(key, text, &origin) else { return };
        match self.element(key) {
            Some((list, index)) => {
                self.elements.entry(list).or_default().insert(index, (text, origin));
            }
            None => self.layer.cover(Layer::single(key, read(key, &text), &origin)),
        }
    }

    /// The text, or the encoding of a path that is not Unicode.
    fn unicode(&mut self, key: &str, text: &OsStr, origin: &Origin) -> Option<String> {
        if let Some(text) = text.to_str() {
            return Some(text.to_owned());
        }
        match find(key, &self.outlines) {
            Some(known) if known.is_path => Some(path::encode(text)),
            Some(known) => {
                let message = format!("invalid Unicode; expected {}", known.expected);
                self.report(origin, key, message);
                None
            }
            // The key is unknown, which is reported later.
            None => Some(text.to_string_lossy().into_owned()),
        }
    }

    /// The list and the index that the key names.
    fn element(&self, key: &str) -> Option<(String, usize)> {
        let (list, index) = match key.strip_suffix(']') {
            Some(key) => key.rsplit_once('[')?,
            None => key.rsplit_once('.')?,
        };
        let number =
            index.bytes().all(|digit| digit.is_ascii_digit()).then(|| index.parse().ok()).flatten()?;
        let is_list = find(list, &self.outlines).is_some() && takes(list, &Value::Array(Vec::new()));
        is_list.then(|| (list.to_owned(), number))
    }

    /// The layer, with the lists of single elements.
    fn layer(mut self) -> Layer {
        for (list, elements) in std::mem::take(&mut self.elements) {
            self.put_list(&list, elements);
        }
        self.layer
    }

    fn put_list(&mut self, list: &str, elements: BTreeMap<usize, (String, Origin)>) {
        let Some((_, (_, last))) = elements.last_key_value() else { return };
        let last = last.clone();
        if self.layer.get(list).is_some() {
            let whole = self.layer.origin(list);
            let message = format!("{whole} sets the whole list; expected either the list or its elements");
            return self.report(&last, list, message);
        }
        if let Some(missing) = (0..elements.len()).find(|index| !elements.contains_key(index)) {
            let message = format!("missing element {missing}; expected elements from 0 without gaps");
            return self.report(&last, list, message);
        }
        let values = elements.values().map(|(text, _)| element(list, text)).collect();
        let mut layer = Layer::single(list, Value::Array(values), &last);
        for (index, (_, origin)) in elements {
            layer.origins.insert(format!("{list}[{index}]"), origin);
        }
        self.layer.cover(layer);
    }
}

/// Whether the key accepts this value.
fn takes(key: &str, value: &Value) -> bool {
    accepts(&Layer::single(key, value.clone(), &Origin::Default))
}

/// Parses a text as TOML, if it is valid. No key is a date; a date stays a text.
fn literal(text: &str) -> Option<Value> {
    text.parse().ok().filter(|literal| !Value::is_datetime(literal))
}

/// Reads a text as a value of the key's type: TOML, a list without brackets, or plain text.
///
/// A text that fits none of them is returned in its likeliest form, for the error.
fn read(key: &str, text: &str) -> Value {
    let fits = |value: &Value| takes(key, value);
    let literal = literal(text);
    if let Some(literal) = literal.clone().filter(fits) {
        return literal;
    }
    let plain = Value::String(text.to_owned());
    if fits(&plain) {
        return plain;
    }
    match literal {
        Some(literal @ Value::Array(_)) => literal,
        _ if fits(&Value::Array(Vec::new())) => list(text),
        Some(literal) => literal,
        None => plain,
    }
}

/// Reads the text of an element of this list.
fn element(list: &str, text: &str) -> Value {
    let literal = literal(text).filter(|literal| takes(list, &Value::Array(vec![literal.clone()])));
    literal.unwrap_or_else(|| Value::String(text.to_owned()))
}

fn list(text: &str) -> Value {
    let elements = text.split(',').map(str::trim);
    Value::Array(match text.trim() {
        "" => Vec::new(),
        _ => elements.map(|element| Value::String(element.to_owned())).collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_read_as_its_key_wants_it() {
        let read = |key: &str, text: &str| read(key, text).to_string();
        assert_eq!(read("log.filter", "debug"), "\"debug\"");
        assert_eq!(read("log.filter", "\"debug\""), "\"debug\"");
        assert_eq!(read("log.filter", "1"), "\"1\"");
        assert_eq!(read("node.data_dir", "2026-01-01"), "\"2026-01-01\"");
        assert_eq!(read("transport.iroh.discovery_port", "7002"), "7002");
        assert_eq!(read("transport.grpc.tls_enabled", "true"), "true");
    }

    #[test]
    fn a_list_is_toml_or_separated_by_commas() {
        let read = |text: &str| read("transport.strategy.prefer_iroh_for", text).to_string();
        assert_eq!(read("health, status"), "[\"health\", \"status\"]");
        assert_eq!(read("[\"health\", \"status\"]"), "[\"health\", \"status\"]");
        assert_eq!(read("health"), "[\"health\"]");
        assert_eq!(read(""), "[]");
    }

    #[test]
    fn a_key_below_a_value_can_be_set_by_itself() {
        let key = "transport.strategy.raft_transport.adaptive.latency_threshold_ms";
        assert_eq!(read(key, "40"), Value::Integer(40));
    }

    #[test]
    fn variables_belong_to_us_by_their_prefix_in_any_case() {
        let key = |name| variable_key(name);
        assert_eq!(key("POLYWIRE__TRANSPORT__MODE").as_deref(), Some("transport.mode"));
        assert_eq!(key("polywire__log__filter").as_deref(), Some("log.filter"));
        assert_eq!(key("POLYWIRE_LOG"), None);
        assert_eq!(key("PATH"), None);
        assert_eq!(key("POLYWIREÄ_X"), None);
    }
}
