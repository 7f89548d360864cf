//! Finds out how a type is laid out, by letting it read what there is not: each field is asked for, and says by the way
//! in which it wants to be read what it is.

mod access;
mod fault;

use std::{
    any::type_name,
    cell::RefCell,
    collections::{BTreeMap, HashMap, HashSet},
};

use serde::{
    Deserialize,
    de::{Deserializer, Visitor},
};

use self::{
    access::{Entry, Repeated, Struct, Variant},
    fault::Fault,
};
use super::layout::{Fields, Id, Layout, Node};

/// More attempts than a type can need that is traced at all: each finds out something.
const ATTEMPTS: usize = 10_000;

/// The layout of a type; `None` where it wants to read something that cannot be made up.
pub(super) fn trace<'de, T: Deserialize<'de>>() -> Option<Layout> {
    trace_by(|tracer| T::deserialize(tracer).map(drop))
}

/// Apart from the types, as there are many of them.
fn trace_by(read: fn(Tracer<'_>) -> Result<(), Fault>) -> Option<Layout> {
    let found = RefCell::new(Found::default());
    for _ in 0..ATTEMPTS {
        found.borrow_mut().begin();
        let node = RefCell::new(Node::Opaque);
        let outcome = read(Tracer { found: &found, node: &node, whole: true });
        let learnt = found.borrow().learnt;
        match outcome {
            Ok(()) if !learnt => {
                let Found { structs, enums, has_loose_bytes, .. } = found.into_inner();
                let structs = structs.into_iter().map(|(id, known)| (id, known.fields)).collect();
                return Some(Layout { root: node.into_inner(), structs, enums, has_loose_bytes });
            }
            Ok(()) => {}
            Err(Fault::Noted) if learnt => {}
            Err(_) => return None,
        }
    }
    None
}

/// What has been found out so far.
#[derive(Default)]
struct Found {
    structs: HashMap<Id, Known>,
    enums: HashMap<Id, BTreeMap<&'static str, Node>>,
    has_loose_bytes: bool,
    /// What this attempt has looked into already: it is not looked into again, also not amid itself.
    seen: HashSet<Id>,
    /// Whether this attempt has found out anything.
    learnt: bool,
}

#[derive(Default)]
struct Known {
    fields: Fields,
    /// Whether all of the required fields are known.
    settled: bool,
    /// Names that are fields' own, where fields have others.
    own_names: Vec<&'static str>,
}

impl Found {
    fn begin(&mut self) {
        self.seen.clear();
        self.learnt = false;
    }
}

/// A value that is not there, and takes any type.
struct Tracer<'t> {
    found: &'t RefCell<Found>,
    /// Where is noted what it is.
    node: &'t RefCell<Node>,
    /// Whether to look into it, or to give as little as will do.
    whole: bool,
}

impl Tracer<'_> {
    fn is(&self, node: Node) {
        *self.node.borrow_mut() = node;
    }
}

/// Methods that note what the value is, and give one.
macro_rules! plain {
    ($($method:ident => $node:expr, $visit:ident($value:expr);)*) => {
        $(fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
            self.is($node);
            visitor.$visit($value)
        })*
    };
}

impl<'de> Deserializer<'de> for Tracer<'_> {
    type Error = Fault;

    plain! {
        deserialize_bool => Node::Bool, visit_bool(false);
        deserialize_i8 => Node::Number, visit_i8(0);
        deserialize_i16 => Node::Number, visit_i16(0);
        deserialize_i32 => Node::Number, visit_i32(0);
        deserialize_i64 => Node::Number, visit_i64(0);
        deserialize_u8 => Node::Byte, visit_u8(0);
        deserialize_u16 => Node::Number, visit_u16(0);
        deserialize_u32 => Node::Number, visit_u32(0);
        deserialize_u64 => Node::Number, visit_u64(0);
        deserialize_f32 => Node::Number, visit_f32(0.0);
        deserialize_f64 => Node::Number, visit_f64(0.0);
        deserialize_char => Node::Opaque, visit_char('\0');
        deserialize_str => Node::Text, visit_str("");
        deserialize_string => Node::Text, visit_string(String::new());
        deserialize_bytes => Node::Bytes, visit_bytes(&[]);
        deserialize_byte_buf => Node::Bytes, visit_byte_buf(Vec::new());
    }

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        visitor.visit_unit()
    }

    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        visitor.visit_unit()
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Fault> {
        visitor.visit_unit()
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        visitor.visit_unit()
    }

    fn deserialize_identifier<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        visitor.visit_str("")
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        if self.whole { visitor.visit_some(self) } else { visitor.visit_none() }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Fault> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        let inner = RefCell::new(Node::Opaque);
        let count = usize::from(self.whole);
        let value = visitor.visit_seq(Repeated { found: self.found, node: &inner, count })?;
        self.is(match inner.into_inner() {
            Node::Byte => {
                self.found.borrow_mut().has_loose_bytes = true;
                Node::Bytes
            }
            inner => Node::Many(Box::new(inner)),
        });
        Ok(value)
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, count: usize, visitor: V) -> Result<V::Value, Fault> {
        let inner = RefCell::new(Node::Opaque);
        visitor.visit_seq(Repeated { found: self.found, node: &inner, count })
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        count: usize,
        visitor: V,
    ) -> Result<V::Value, Fault> {
        self.deserialize_tuple(count, visitor)
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        let inner = RefCell::new(Node::Opaque);
        let entry = Entry { found: self.found, node: &inner, left: self.whole };
        let value = visitor.visit_map(entry)?;
        self.is(Node::Map(Box::new(inner.into_inner())));
        Ok(value)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        let id = type_name::<V>();
        self.is(Node::Struct(id));
        Struct::new(self.found, id, fields, self.whole).visit(visitor)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        let id = type_name::<V>();
        self.is(Node::Enum(id));
        visitor.visit_enum(Variant::next(self.found, id, variants, self.whole)?)
    }

    fn is_human_readable(&self) -> bool {
        false
    }
}

#[cfg(test)]
mod tests;
