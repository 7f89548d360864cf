//! The layers of environment variables and flags, whose values are plain text.

use super::{error::Problem, layer::Layer, origin::Origin, read::accepts};
use std::collections::BTreeMap;
use toml::Value;

/// What the names of environment variables begin with, in any case.
const PREFIX: &str = "POLYWIRE__";

/// The layer of the environment; other variables are ignored.
pub(super) fn environment(variables: &[(String, String)], problems: &mut Vec<Problem>) -> Layer {
    let mut layer = Layer::default();
    let mut seen = BTreeMap::<String, &str>::new();
    for (name, text) in variables {
        let Some(key) = variable_key(name) else {
            continue;
        };
        // The environment has no order, so neither of two spellings could be said to win.
        if let Some(other) = seen.insert(key.clone(), name) {
            problems.push(Problem {
                origin: Some(Origin::Env(name.clone())),
                key: key.clone(),
                message: format!("already set by {other}; expected one variable per key"),
            });
        }
        let value = read(&key, text);
        layer.cover(Layer::single(&key, value, &Origin::Env(name.clone())));
    }
    layer
}

/// The layer of flags; of two for one key the later wins, as is usual on a command line.
pub(super) fn flags(flags: &[(String, String)]) -> Layer {
    let mut layer = Layer::default();
    for (key, text) in flags {
        let value = read(key, text);
        layer.cover(Layer::single(key, value, &Origin::Flag(key.clone())));
    }
    layer
}

fn variable_key(name: &str) -> Option<String> {
    let (prefix, key) = name.split_at_checked(PREFIX.len())?;
    prefix.eq_ignore_ascii_case(PREFIX).then(|| key.to_ascii_lowercase().replace("__", "."))
}

/// Reads a text as a value of the key's type: as TOML, as a list without brackets, or as it is.
///
/// What fits none of them is returned in its likeliest reading, for the report.
fn read(key: &str, text: &str) -> Value {
    let fits = |value: &Value| accepts(&Layer::single(key, value.clone(), &Origin::Default));
    // No key is a date, and as a text it should stay as it was written.
    let literal = text.parse().ok().filter(|literal| !Value::is_datetime(literal));
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
