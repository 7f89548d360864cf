use std::{any::TypeId, sync::Arc};

use super::{Scheme, Target, Transport};

/// [`Transport`] as an object, as far as targets need it.
pub(crate) trait DynTransport: Send + Sync {
    fn dyn_name(&self) -> &'static str;

    fn dyn_schemes(&self) -> &'static [Scheme];

    fn dyn_parse(self: Arc<Self>, scheme: &'static str, rest: &str) -> Result<Target, String>;

    /// Which type it is.
    fn dyn_type(&self) -> TypeId;
}

impl<T: Transport> DynTransport for T {
    fn dyn_name(&self) -> &'static str {
        self.name()
    }

    fn dyn_schemes(&self) -> &'static [Scheme] {
        self.schemes()
    }

    fn dyn_parse(self: Arc<Self>, scheme: &'static str, rest: &str) -> Result<Target, String> {
        let address = self.parse(scheme, rest)?;
        Ok(Target::of(self, address))
    }

    fn dyn_type(&self) -> TypeId {
        TypeId::of::<T>()
    }
}
