//! JSON of a request whose type this binary has, and no schema of it.

use std::fmt;

use polywire_core::__runner::nearest;
use serde::de::{Deserializer, Error, MapAccess, Visitor};
use serde_json::{Map, Value as Json};

/// Reads an object of these fields, whose values are as they are.
///
/// # Errors
/// If it is no object, or has another field.
pub(super) fn read<'de, D: Deserializer<'de>>(json: D, fields: &[&str]) -> Result<Json, D::Error> {
    json.deserialize_map(Fields(fields)).map(Json::Object)
}

struct Fields<'a>(&'a [&'a str]);

impl<'de> Visitor<'de> for Fields<'_> {
    type Value = Map<String, Json>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Self::Value, A::Error> {
        let mut object = Map::new();
        while let Some(name) = entries.next_key::<String>()? {
            if !self.0.contains(&&*name) {
                let near = nearest(&name, self.0.iter().copied());
                let near = near.map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
                return Err(A::Error::custom(format_args!("unrecognized field name '{name}'{near}")));
            }
            object.insert(name, entries.next_value()?);
        }
        Ok(object)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn of_item(text: &str) -> Result<Json, String> {
        let mut json = serde_json::Deserializer::from_str(text);
        read(&mut json, &["name", "count"]).map_err(|error| error.to_string())
    }

    #[test]
    fn the_fields_of_the_type_are_read_with_any_value_and_others_are_refused_at_their_place() {
        let read = r#"{"count": {"$float": "NaN"}, "name": [1]}"#;
        assert_eq!(of_item(read).unwrap(), json!({"count": {"$float": "NaN"}, "name": [1]}));
        assert_eq!(of_item("{}").unwrap(), json!({}));
        for (text, expected) in [
            (r#"{"nmae": "x"}"#, "unrecognized field name 'nmae'; did you mean `name`? at line 1 column 7"),
            (r#"{"colour": "x"}"#, "unrecognized field name 'colour' at line 1"),
            ("[1]", "expected an object"),
        ] {
            let error = of_item(text).unwrap_err();
            assert!(error.contains(expected), "{text}: {error}");
        }
    }
}
