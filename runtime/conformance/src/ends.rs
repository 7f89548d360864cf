//! The transport under test, of any type.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use polywire::{
    Channel, Codec, ConnectOptions, Status, Target,
    transport::{BindContext, BindError, Bound, Connected, Scheme, Serving, Transport},
};

/// A transport of any type, and how it is bound.
pub(super) trait Ends: Send + Sync {
    fn name(&self) -> &'static str;

    fn bind(
        &self,
        key: [u8; 32],
        service: Channel,
    ) -> BoxFuture<'static, Result<Box<dyn DynBound>, BindError>>;

    fn target(&self, text: &str) -> Result<Target, String>;
}

pub(super) struct Of<T: Transport> {
    pub(super) transport: Arc<T>,
    pub(super) config: Box<dyn Fn() -> T::Config + Send + Sync>,
}

impl<T: Transport> Ends for Of<T> {
    fn name(&self) -> &'static str {
        self.transport.name()
    }

    fn bind(
        &self,
        key: [u8; 32],
        service: Channel,
    ) -> BoxFuture<'static, Result<Box<dyn DynBound>, BindError>> {
        let (transport, config) = (self.transport.clone(), (self.config)());
        Box::pin(async move {
            let bound = transport.bind(config, BindContext::new(key, service)).await?;
            Ok(Box::new(bound) as Box<dyn DynBound>)
        })
    }

    fn target(&self, text: &str) -> Result<Target, String> {
        let named = text.split_once("://");
        let fits = |name: &str| named.map_or(text.starts_with(name), |(scheme, _)| scheme == name);
        let Some(scheme) = self.transport.schemes().iter().find(|scheme| fits(scheme.name)) else {
            return Err(format!("the scheme of {text:?} is none of the transport's"));
        };
        let address = self.transport.parse(scheme.name, named.map_or(text, |(_, rest)| rest))?;
        Ok(Target::new(Handle(self.transport.clone()), address))
    }
}

/// A transport that several targets share.
struct Handle<T>(Arc<T>);

impl<T: Transport> Transport for Handle<T> {
    type Config = T::Config;
    type Address = T::Address;
    type Bound = T::Bound;

    fn name(&self) -> &'static str {
        self.0.name()
    }

    fn schemes(&self) -> &'static [Scheme] {
        self.0.schemes()
    }

    fn codec(&self) -> Codec {
        self.0.codec()
    }

    fn is_local(&self) -> bool {
        self.0.is_local()
    }

    fn parse(&self, scheme: &'static str, rest: &str) -> Result<T::Address, String> {
        self.0.parse(scheme, rest)
    }

    async fn connect(&self, address: T::Address, options: ConnectOptions) -> Result<Connected, Status> {
        self.0.connect(address, options).await
    }

    async fn bind(&self, config: T::Config, node: BindContext) -> Result<T::Bound, BindError> {
        self.0.bind(config, node).await
    }
}

/// [`Bound`] as an object.
pub(super) trait DynBound: Send {
    fn dyn_target(&self) -> String;

    fn dyn_serve(self: Box<Self>, serving: Serving) -> BoxFuture<'static, ()>;
}

impl<B: Bound> DynBound for B {
    fn dyn_target(&self) -> String {
        self.target()
    }

    fn dyn_serve(self: Box<Self>, serving: Serving) -> BoxFuture<'static, ()> {
        Box::pin((*self).serve(serving))
    }
}
