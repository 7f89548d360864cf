//! The names of a message's fields, which its `Deserialize` tells.

use serde::{
    de::{DeserializeOwned, Deserializer, Error as _, Visitor, value::Error},
    forward_to_deserialize_any,
};

/// The names of the fields of a struct, aliases among them; `None` for a type that is no struct, or takes fields of any name.
pub(crate) fn fields<T: DeserializeOwned>() -> Option<&'static [&'static str]> {
    let mut names = None;
    // It reads no value, so it always fails.
    let _ = T::deserialize(Probe(&mut names));
    names
}

/// Notes the names of the fields that a type asks for.
struct Probe<'a>(&'a mut Option<&'static [&'static str]>);

impl<'de> Deserializer<'de> for Probe<'_> {
    type Error = Error;

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        _: V,
    ) -> Result<V::Value, Error> {
        *self.0 = Some(fields);
        Err(Error::custom("the names alone are asked for"))
    }

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Error> {
        Err(Error::custom("no struct"))
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit unit_struct
        newtype_struct seq tuple tuple_struct map enum identifier ignored_any
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde::Deserialize;

    use super::*;

    #[derive(Deserialize)]
    #[expect(dead_code, reason = "the names are looked at")]
    struct Item {
        name: String,
        #[serde(rename = "n", alias = "number")]
        count: u32,
        #[serde(skip)]
        seen: bool,
    }

    #[derive(Deserialize)]
    #[expect(dead_code, reason = "the names are looked at")]
    struct Open {
        name: String,
        #[serde(flatten)]
        rest: BTreeMap<String, u32>,
    }

    #[test]
    fn a_struct_tells_the_names_that_it_reads_and_what_takes_any_name_tells_none() {
        let mut names = fields::<Item>().unwrap().to_vec();
        names.sort_unstable();
        assert_eq!(names, ["n", "name", "number"]);
        assert_eq!(fields::<Open>(), None);
        assert_eq!(fields::<BTreeMap<String, u32>>(), None);
        assert_eq!(fields::<u32>(), None);
    }
}
