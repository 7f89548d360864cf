//! How a node configures and binds a transport: the section of each, read and checked without knowing its type.

use std::sync::{Arc, LazyLock, PoisonError, RwLock};

use futures_util::future::BoxFuture;
use polywire_core::{
    __runner::register_shared,
    settings::{Outline, Section as _},
    transport::{BindContext, BindError, Bound, LiveTarget, RegisterError, Scheme, Serving, Transport},
};
use toml::{Table, Value};

use crate::config::{ReadError, read_section};

/// [`Transport`] as an object, as far as a node needs it.
pub(crate) trait DynTransport: Send + Sync {
    fn dyn_name(&self) -> &'static str;

    fn dyn_schemes(&self) -> &'static [Scheme];

    /// Binds with the values of its section; keys that are not there have their defaults.
    fn dyn_bind(
        self: Arc<Self>,
        section: Table,
        node: BindContext,
    ) -> BoxFuture<'static, Result<Box<dyn DynBound>, BindError>>;

    /// Adds the outline of its section.
    fn outline(&self, path: &str, into: &mut Vec<Outline>);

    /// Reads its section, and gives it with every default.
    fn read(&self, section: &Table, unknown: &mut dyn FnMut(String)) -> Result<Table, ReadError>;

    /// The keys of its section that are out of range.
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
        // What TOML has just said, it can say again.
        Ok(Table::try_from(&config).unwrap_or_else(|_| section.clone()))
    }

    fn faults(&self, section: &Table, path: &str, into: &mut Vec<(String, &'static str)>) {
        if let Ok(config) = Value::Table(section.clone()).try_into::<T::Config>() {
            config.faults(path, into);
        }
    }
}

/// [`Bound`] as an object.
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

/// Every transport that configurations of this process may name.
static REGISTRY: LazyLock<RwLock<Vec<Known>>> = LazyLock::new(|| RwLock::new(built_in()));

/// Those of this build.
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

/// Makes a transport known to this process: targets of its schemes can be called, `[transport.NAME]` is read,
/// and nodes serve over it where that section is enabled. To be done before a target or a configuration is
/// read; `#[polywire::main(transports = [Pigeon])]` does it in time. Repeating it changes nothing.
///
/// # Errors
/// When its name or one of its schemes is taken by another transport, the name is malformed, or its section has
/// no key `enabled`.
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
    // Refuses a name that is malformed or another's.
    register_shared(transport)?;
    let mut registry = REGISTRY.write().unwrap_or_else(PoisonError::into_inner);
    if registry.iter().all(|other| other.dyn_name() != name) {
        registry.push(known);
    }
    Ok(())
}

/// The transports, in the order in which they were registered.
pub(crate) fn all() -> Vec<Known> {
    REGISTRY.read().unwrap_or_else(PoisonError::into_inner).clone()
}

/// The transport of this name.
pub(crate) fn named(name: &str) -> Option<Known> {
    all().into_iter().find(|transport| transport.dyn_name() == name)
}
