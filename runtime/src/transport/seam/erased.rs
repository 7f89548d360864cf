use std::{any::TypeId, sync::Arc};

use toml::{Table, Value};

use super::{BindContext, BindError, DynBound, Scheme, Transport};
use crate::{
    Target,
    config::{Outline, ReadError, Section, read_section},
    service::BoxFuture,
};

/// [`Transport`] as an object.
pub(crate) trait DynTransport: Send + Sync {
    fn dyn_name(&self) -> &'static str;

    fn dyn_schemes(&self) -> &'static [Scheme];

    fn dyn_parse(self: Arc<Self>, scheme: &'static str, rest: &str) -> Result<Target, String>;

    /// Binds with the values of its section; keys that are not there have their defaults.
    fn dyn_bind(
        self: Arc<Self>,
        section: Table,
        node: BindContext,
    ) -> BoxFuture<Result<Box<dyn DynBound>, BindError>>;

    /// Adds the outline of its section.
    fn outline(&self, path: &str, into: &mut Vec<Outline>);

    /// Reads its section, and gives it with every default.
    fn read(&self, section: &Table, unknown: &mut dyn FnMut(String)) -> Result<Table, ReadError>;

    /// The keys of its section that are out of range.
    fn faults(&self, section: &Table, path: &str, into: &mut Vec<(String, &'static str)>);

    /// Which type it is.
    fn type_of(&self) -> TypeId;
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

    fn dyn_bind(
        self: Arc<Self>,
        section: Table,
        node: BindContext,
    ) -> BoxFuture<Result<Box<dyn DynBound>, BindError>> {
        Box::pin(async move {
            let unread = |error: toml::de::Error| {
                BindError::setting(format!("transport.{}", self.name()), error.message())
            };
            let config = Value::Table(section).try_into().map_err(unread)?;
            Ok(Box::new(self.bind(config, node).await?) as Box<dyn DynBound>)
        })
    }

    fn outline(&self, path: &str, into: &mut Vec<Outline>) {
        T::Config::outline(path, T::Config::DOC, into);
    }

    fn read(&self, section: &Table, unknown: &mut dyn FnMut(String)) -> Result<Table, ReadError> {
        let config = read_section::<T::Config>(section, unknown)?;
        // What TOML has just said, it can say again.
        Ok(Table::try_from(&config).unwrap_or_else(|_| section.clone()))
    }

    fn faults(&self, section: &Table, path: &str, into: &mut Vec<(String, &'static str)>) {
        if let Ok(config) = Value::Table(section.clone()).try_into::<T::Config>() {
            config.faults(path, into);
        }
    }

    fn type_of(&self) -> TypeId {
        TypeId::of::<T>()
    }
}
