//! Configures and binds transports: reads and checks the section of each without knowing its type.

use std::sync::{Arc, LazyLock};

use futures_util::future::BoxFuture;
use parking_lot::RwLock;
use polywire_core::{
    __runner::register_shared,
    settings::{Outline, Section as _},
    transport::{BindContext, BindError, Bound, LiveTarget, RegisterError, Scheme, Serving, Transport},
};
use toml::{Table, Value};

use crate::section::{ReadError, read_section};

/// The object-safe form of [`Transport`], with the parts that a node needs.
pub(crate) trait DynTransport: Send + Sync {
    fn dyn_name(&self) -> &'static str;

    fn dyn_schemes(&self) -> &'static [Scheme];

    /// Binds with the values of the section. Absent keys have their defaults.
    fn dyn_bind(
        self: Arc<Self>,
        section: Table,
        node: BindContext,
    ) -> BoxFuture<'static, Result<Box<dyn DynBound>, BindError>>;

    /// Adds the outline of the section.
    fn outline(&self, path: &str, into: &mut Vec<Outline>);

    /// Reads the section, and returns it with all defaults.
    fn read(&self, section: &Table, unknown: &mut dyn FnMut(String)) -> Result<Table, ReadError>;

    /// Adds the keys of the section that are out of range.
    fn faults(&self, section: &Table, path: &str, into: &mut Vec<(String, &'static str)>);
}

impl<T: Transport> DynTransport for T {
    fn dyn_name(&self) -> &'static str {
        self.name()
    }

    fn dyn_schemes(&self) -> &'static [Scheme] {
        self.schemes()
    }

    fn dyn_bind(
        self: Arc<Self>,
        section: Table,
        node: BindContext,
    ) -> BoxFuture<'static, Result<Box<dyn DynBound>, BindError>> {
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
        // Values from TOML convert back to TOML.
        Ok(Table::try_from(&config).unwrap_or_else(|_| section.clone()))
    }

    fn faults(&self, section: &Table, path: &str, into: &mut Vec<(String, &'static str)>) {
        if let Ok(config) = Value::Table(section.clone()).try_into::<T::Config>() {
            config.faults(path, into);
        }
    }
}

/// The object-safe form of [`Bound`].
pub(crate) trait DynBound: Send {
    fn dyn_target(&self) -> String;

    fn dyn_live_target(&self) -> LiveTarget;

    fn dyn_alpns(&self) -> Vec<String>;

    fn dyn_connect_options(&self, options: polywire_core::ConnectOptions) -> polywire_core::ConnectOptions;

    fn dyn_serve(self: Box<Self>, serving: Serving) -> BoxFuture<'static, ()>;

    fn dyn_close(self: Box<Self>) -> BoxFuture<'static, ()>;
}

impl<B: Bound> DynBound for B {
    fn dyn_target(&self) -> String {
        self.target()
    }

    fn dyn_live_target(&self) -> LiveTarget {
        self.live_target()
    }

    fn dyn_alpns(&self) -> Vec<String> {
        self.alpns()
    }

    fn dyn_connect_options(&self, options: polywire_core::ConnectOptions) -> polywire_core::ConnectOptions {
        self.connect_options(options)
    }

    fn dyn_serve(self: Box<Self>, serving: Serving) -> BoxFuture<'static, ()> {
        Box::pin((*self).serve(serving))
    }

    fn dyn_close(self: Box<Self>) -> BoxFuture<'static, ()> {
        Box::pin((*self).close())
    }
}

type Known = Arc<dyn DynTransport>;

/// The transports that configurations of this process may name.
static REGISTRY: LazyLock<RwLock<Vec<Known>>> = LazyLock::new(|| RwLock::new(built_in()));

/// The transports of this build.
fn built_in() -> Vec<Known> {
    vec![
        #[cfg(feature = "grpc")]
        Arc::new(polywire_core::grpc::Grpc),
        #[cfg(feature = "iroh")]
        Arc::new(polywire_core::iroh::Iroh),
        #[cfg(feature = "quic")]
        Arc::new(polywire_core::quic::Quic::default()),
        #[cfg(feature = "memory")]
        Arc::new(polywire_core::memory::Memory),
        #[cfg(feature = "unix")]
        Arc::new(polywire_core::unix::Unix),
        #[cfg(feature = "websocket")]
        Arc::new(polywire_core::websocket::WebSocket),
    ]
}

/// Registers a transport in this process: channels call targets of its schemes, the configuration has its section
/// `[transport.NAME]`, and nodes serve it if that section is enabled. Register it before a target or a configuration is
/// read, as `#[polywire::main(transports = [Pigeon])]` does. A repeated registration has no effect.
///
/// # Errors
/// If the name or a scheme belongs to another transport, the name is malformed, or the section has no key `enabled`.
pub fn register(transport: impl Transport) -> Result<(), RegisterError> {
    let transport = Arc::new(transport);
    let known: Known = transport.clone();
    let name = known.dyn_name();
    let mut outlines = Vec::new();
    known.outline("", &mut outlines);
    let enabled = |outline: &Outline| outline.path.is_empty() && outline.has("enabled");
    if !outlines.iter().any(enabled) {
        return Err(RegisterError::NotSwitchable(name));
    }
    // Refuses malformed and duplicate names.
    register_shared(transport)?;
    let mut registry = REGISTRY.write();
    if registry.iter().all(|other| other.dyn_name() != name) {
        registry.push(known);
    }
    Ok(())
}

/// The transports in the order of registration.
pub(crate) fn all() -> Vec<Known> {
    REGISTRY.read().clone()
}

/// The transport of this name.
pub(crate) fn named(name: &str) -> Option<Known> {
    all().into_iter().find(|transport| transport.dyn_name() == name)
}
