//! The sections of registered transports.

use std::{collections::BTreeMap, sync::Arc};

use toml::{Table, Value};

use super::error::{ConfigError, Problem};
use crate::transports::{self, DynTransport};
use polywire_core::settings::join;
use polywire_core::transport::Transport;

/// The sections `[transport.NAME]` of [registered](crate::register) transports, with defaults filled in.
#[derive(Clone, Debug, Default)]
pub struct Registered(BTreeMap<String, Table>);

impl Registered {
    /// Sets the section of a transport.
    ///
    /// # Errors
    /// If TOML cannot represent a value.
    pub fn set<T: Transport>(&mut self, transport: &T, config: &T::Config) -> Result<(), ConfigError> {
        let section = Table::try_from(config).map_err(|error| {
            ConfigError::new(vec![Problem {
                origin: None,
                key: join(PARENT, transport.name()),
                message: format!("cannot be written as TOML: {error}"),
            }])
        })?;
        self.put(transport.name(), section);
        Ok(())
    }

    /// The section of a transport, or its defaults.
    pub fn get<T: Transport>(&self, transport: &T) -> T::Config {
        let section = self.section(transport.name()).cloned().unwrap_or_default();
        Value::Table(section).try_into().unwrap_or_default()
    }

    pub(super) fn put(&mut self, name: &str, section: Table) {
        self.0.insert(name.to_owned(), section);
    }

    pub(super) fn section(&self, name: &str) -> Option<&Table> {
        self.0.get(name)
    }

    pub(super) fn sections(&self) -> impl Iterator<Item = (&str, &Table)> {
        self.0.iter().map(|(name, section)| (name.as_str(), section))
    }

    pub(super) fn is_enabled(&self, name: &str) -> bool {
        self.section(name)
            .and_then(|section| section.get("enabled"))
            .and_then(Value::as_bool)
            .unwrap_or(false)
    }
}

/// An absent section equals its defaults.
impl PartialEq for Registered {
    fn eq(&self, other: &Self) -> bool {
        let section = |registered: &Self, transport: &dyn DynTransport| {
            let set = registered.section(transport.dyn_name()).cloned().unwrap_or_default();
            transport.read(&set, &mut |_| ()).unwrap_or(set)
        };
        transports().all(|transport| section(self, &*transport) == section(other, &*transport))
    }
}

/// The parent of the transports' sections.
const PARENT: &str = "transport";

/// The transports whose sections are not fields of [`Transport`](super::Transport).
pub(super) fn transports() -> impl Iterator<Item = Arc<dyn DynTransport>> {
    let declared = |transport: &Arc<dyn DynTransport>| matches!(transport.dyn_name(), "grpc" | "iroh");
    transports::all().into_iter().filter(move |transport| !declared(transport))
}

/// The dotted name of a transport's section.
pub(super) fn path(transport: &dyn DynTransport) -> String {
    join(PARENT, transport.dyn_name())
}
