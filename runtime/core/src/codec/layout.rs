//! What a type's own `Deserialize` says of its fields: which hold bytes, and which must be there.

use std::{
    any::TypeId,
    collections::{BTreeMap, HashMap},
    sync::{Arc, LazyLock},
};

use arc_swap::ArcSwap;

use super::tracing;
use crate::Message;

/// The fields of a message, and of all that it is made of.
#[derive(Debug)]
pub(super) struct Layout {
    pub(super) root: Node,
    pub(super) structs: HashMap<Id, Fields>,
    /// What each variant of an enum holds, by its name.
    pub(super) enums: HashMap<Id, BTreeMap<&'static str, Node>>,
    /// Whether there are bytes in it whose type does not say that they are.
    pub(super) has_loose_bytes: bool,
}

/// A struct or an enum: the name of the type that reads it, with its path. (Of the names of its fields the compiler makes
/// one list where two structs have the same.)
pub(super) type Id = &'static str;

/// The fields of a struct.
#[derive(Clone, Debug, Default)]
pub(super) struct Fields {
    pub(super) nodes: BTreeMap<&'static str, Node>,
    /// Those that have no default.
    pub(super) required: Vec<&'static str>,
    /// Other names, and which fields they stand for.
    pub(super) aliases: BTreeMap<&'static str, &'static str>,
}

/// What is in one place of a message. What may be absent is as what it is when it is there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) enum Node {
    /// Nothing that more is known of.
    #[default]
    Opaque,
    Bool,
    Number,
    /// A number that is bytes where there are many of it.
    Byte,
    Text,
    /// Bytes, whether or not their type says so.
    Bytes,
    Many(Box<Self>),
    Map(Box<Self>),
    Struct(Id),
    Enum(Id),
}

type Known = HashMap<TypeId, Option<Arc<Layout>>>;

static KNOWN: LazyLock<ArcSwap<Known>> = LazyLock::new(ArcSwap::default);

/// The layout of a message; `None` where its `Deserialize` does not say. Found out once for each type.
pub(super) fn of<M: Message>() -> Option<Arc<Layout>> {
    known(TypeId::of::<M>(), tracing::trace::<M>)
}

/// Apart from the types, so that there is one of it and not one for each.
fn known(id: TypeId, trace: fn() -> Option<Layout>) -> Option<Arc<Layout>> {
    if let Some(known) = KNOWN.load().get(&id) {
        return known.clone();
    }
    let layout = trace().map(Arc::new);
    KNOWN.rcu(|known| {
        let mut known = HashMap::clone(known);
        known.insert(id, layout.clone());
        known
    });
    layout
}
