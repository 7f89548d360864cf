use std::{
    any::{Any, TypeId},
    collections::HashMap,
    fmt,
};

/// Values that layers hand to handlers on this side of the wire: one a type, never sent.
#[derive(Default)]
#[expect(clippy::box_collection, reason = "most calls have none, and should pay for one pointer")]
pub struct Extensions(Option<Box<HashMap<TypeId, Box<dyn Any + Send + Sync>>>>);

impl Extensions {
    /// Nothing; allocates nothing.
    pub const fn new() -> Self {
        Self(None)
    }

    /// Sets the value of its type, and returns the one it replaces.
    pub fn insert<T: Send + Sync + 'static>(&mut self, value: T) -> Option<T> {
        let replaced = self.0.get_or_insert_default().insert(TypeId::of::<T>(), Box::new(value))?;
        replaced.downcast().ok().map(|value| *value)
    }

    /// The value of this type.
    pub fn get<T: Send + Sync + 'static>(&self) -> Option<&T> {
        self.0.as_ref()?.get(&TypeId::of::<T>())?.downcast_ref()
    }

    /// Takes the value of this type out.
    pub fn remove<T: Send + Sync + 'static>(&mut self) -> Option<T> {
        let removed = self.0.as_mut()?.remove(&TypeId::of::<T>())?;
        removed.downcast().ok().map(|value| *value)
    }
}

impl fmt::Debug for Extensions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Extensions({})", self.0.as_ref().map_or(0, |values| values.len()))
    }
}
