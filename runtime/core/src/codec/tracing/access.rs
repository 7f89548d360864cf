use std::{any::type_name, cell::RefCell};

use serde::de::{
    DeserializeSeed, EnumAccess, IntoDeserializer, MapAccess, SeqAccess, VariantAccess, Visitor,
    value::StrDeserializer,
};

use super::{Fault, Found, Id, Node, Tracer};

/// So many values of one type.
pub(super) struct Repeated<'t> {
    pub(super) found: &'t RefCell<Found>,
    pub(super) node: &'t RefCell<Node>,
    pub(super) count: usize,
}

impl<'de> SeqAccess<'de> for Repeated<'_> {
    type Error = Fault;

    fn next_element_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, Fault> {
        let Some(left) = self.count.checked_sub(1) else { return Ok(None) };
        self.count = left;
        seed.deserialize(Tracer { found: self.found, node: self.node, whole: true }).map(Some)
    }
}

/// The one entry of a map.
pub(super) struct Entry<'t> {
    pub(super) found: &'t RefCell<Found>,
    pub(super) node: &'t RefCell<Node>,
    pub(super) left: bool,
}

impl<'de> MapAccess<'de> for Entry<'_> {
    type Error = Fault;

    fn next_key_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, Fault> {
        if !std::mem::take(&mut self.left) {
            return Ok(None);
        }
        let key = RefCell::new(Node::Opaque);
        seed.deserialize(Tracer { found: self.found, node: &key, whole: false }).map(Some)
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, Fault> {
        seed.deserialize(Tracer { found: self.found, node: self.node, whole: true })
    }
}

/// The fields of a struct: first those alone that it has been found not to do without, and once these are all, each.
pub(super) struct Struct<'t> {
    found: &'t RefCell<Found>,
    id: Id,
    names: Vec<&'static str>,
    whole: bool,
}

impl<'t> Struct<'t> {
    pub(super) fn new(
        found: &'t RefCell<Found>,
        id: Id,
        fields: &'static [&'static str],
        whole: bool,
    ) -> Self {
        let mut all = found.borrow_mut();
        let known = all.structs.entry(id).or_default();
        let settled = known.settled;
        let required = known.fields.required.clone();
        let is_own = |name: &&'static str| !known.fields.aliases.contains_key(name);
        let mut own: Vec<_> = fields.iter().copied().filter(is_own).collect();
        own.sort_by_key(|name| !known.own_names.contains(name));
        let whole = whole && settled && all.seen.insert(id);
        drop(all);
        Self { found, id, names: if whole { own } else { required }, whole }
    }

    pub(super) fn visit<'de, V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        let (found, id, whole) = (self.found, self.id, self.whole);
        let mut reading = Reading { fields: self, next: 0 };
        let outcome = visitor.visit_map(&mut reading);
        let last = reading.next.checked_sub(1).map(|last| reading.fields.names[last]);
        let mut found = found.borrow_mut();
        let known = found.structs.entry(id).or_default();
        let outcome = match (outcome, last) {
            (Ok(value), _) => {
                let learnt = !whole && !std::mem::replace(&mut known.settled, true);
                found.learnt |= learnt;
                return Ok(value);
            }
            (Err(Fault::Missing(field)), _) if !known.fields.required.contains(&field) => {
                known.fields.required.push(field);
                Fault::Noted
            }
            (Err(Fault::Twice(field)), Some(alias)) if alias != field => {
                known.fields.aliases.insert(alias, field);
                known.fields.nodes.remove(alias);
                Fault::Noted
            }
            // Another name came before, and which it was shows when its own comes first.
            (Err(Fault::Twice(field)), _) if !known.own_names.contains(&field) => {
                known.own_names.push(field);
                Fault::Noted
            }
            (Err(Fault::Noted), _) => return Err(Fault::Noted),
            (Err(_), _) => return Err(Fault::Other),
        };
        found.learnt = true;
        Err(outcome)
    }
}

struct Reading<'t> {
    fields: Struct<'t>,
    next: usize,
}

impl<'de> MapAccess<'de> for &mut Reading<'_> {
    type Error = Fault;

    fn next_key_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, Fault> {
        let Some(name) = self.fields.names.get(self.next) else { return Ok(None) };
        self.next += 1;
        let name: StrDeserializer<'_, Fault> = name.into_deserializer();
        seed.deserialize(name).map(Some)
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, Fault> {
        let Struct { found, id, whole, .. } = self.fields;
        let name = self.fields.names[self.next - 1];
        let node = RefCell::new(Node::Opaque);
        let value = seed.deserialize(Tracer { found, node: &node, whole })?;
        if whole {
            let mut found = found.borrow_mut();
            found.structs.entry(id).or_default().fields.nodes.insert(name, node.into_inner());
        }
        Ok(value)
    }
}

/// A variant of an enum: the next that has not been looked into.
pub(super) struct Variant<'t> {
    found: &'t RefCell<Found>,
    id: Id,
    name: &'static str,
    whole: bool,
}

impl<'t> Variant<'t> {
    pub(super) fn next(
        found: &'t RefCell<Found>,
        id: Id,
        variants: &'static [&'static str],
        whole: bool,
    ) -> Result<Self, Fault> {
        let mut all = found.borrow_mut();
        let known = all.enums.entry(id).or_default();
        let new = variants.iter().find(|name| whole && !known.contains_key(*name));
        let name = new.or(variants.first()).ok_or(Fault::Other)?;
        let whole = new.is_some();
        if whole {
            known.insert(name, Node::Opaque);
            all.learnt = true;
        }
        Ok(Self { found, id, name, whole })
    }
}

impl<'de> EnumAccess<'de> for Variant<'_> {
    type Error = Fault;
    type Variant = Self;

    fn variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<(S::Value, Self), Fault> {
        let name: StrDeserializer<'_, Fault> = self.name.into_deserializer();
        Ok((seed.deserialize(name)?, self))
    }
}

impl<'de> VariantAccess<'de> for Variant<'_> {
    type Error = Fault;

    fn unit_variant(self) -> Result<(), Fault> {
        Ok(())
    }

    fn newtype_variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<S::Value, Fault> {
        let node = RefCell::new(Node::Opaque);
        let before = std::mem::take(&mut self.found.borrow_mut().learnt);
        let outcome = seed.deserialize(Tracer { found: self.found, node: &node, whole: self.whole });
        let mut found = self.found.borrow_mut();
        if self.whole {
            let within = found.learnt;
            let variants = found.enums.entry(self.id).or_default();
            if within {
                // There may be more to learn: another attempt looks into it again.
                variants.remove(self.name);
            } else {
                variants.insert(self.name, node.into_inner());
            }
        }
        found.learnt |= before;
        outcome
    }

    fn tuple_variant<V: Visitor<'de>>(self, count: usize, visitor: V) -> Result<V::Value, Fault> {
        let inner = RefCell::new(Node::Opaque);
        visitor.visit_seq(Repeated { found: self.found, node: &inner, count })
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        Struct::new(self.found, type_name::<V>(), fields, false).visit(visitor)
    }
}
