use std::{
    any::{Any, TypeId},
    collections::HashMap,
    fmt,
    sync::Arc,
};

use parking_lot::Mutex;

/// The values that the services and components of one node share, one for each type.
#[derive(Clone, Default)]
pub(super) struct SharedValues(Arc<Mutex<HashMap<TypeId, Arc<dyn Any + Send + Sync>>>>);

impl SharedValues {
    /// The value of this type, made at the first call.
    pub(super) fn get<T: Default + Send + Sync + 'static>(&self) -> Arc<T> {
        let mut values = self.0.lock();
        let value = values.entry(TypeId::of::<T>()).or_insert_with(|| Arc::new(T::default()));
        // The key is the value's type, so the cast succeeds.
        value.clone().downcast().unwrap_or_default()
    }
}

impl fmt::Debug for SharedValues {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = self.0.lock().len();
        write!(f, "SharedValues({count})")
    }
}

#[cfg(test)]
mod tests {
    use std::sync::OnceLock;

    use super::*;

    #[test]
    fn each_type_has_one_value_and_clones_share_it() {
        let values = SharedValues::default();
        values.get::<OnceLock<u8>>().set(7).unwrap();
        assert_eq!(values.clone().get::<OnceLock<u8>>().get(), Some(&7));
        assert_eq!(values.get::<OnceLock<u16>>().get(), None);
        assert_eq!(SharedValues::default().get::<OnceLock<u8>>().get(), None);
    }
}
