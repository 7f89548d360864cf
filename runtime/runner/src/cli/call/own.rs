use std::future::Future;

use bytes::Bytes;
use polywire_core::Method;

use super::MethodName;
use crate::{
    cli::node::Made,
    config::Config,
    node::{NodeBuilder, ServiceOverview},
};

/// What this binary knows of services: those of its own node. If the node cannot be created, for lack of a database or a key,
/// there are none: calling another node still works.
pub(super) struct Own(Option<NodeBuilder>);

impl Own {
    pub(super) async fn of(node: impl Future<Output = Made>) -> Self {
        let told = |error| tracing::debug!(%error, "no schemas of this binary: its node cannot be created");
        Self(node.await.map_err(told).ok())
    }

    /// The schemas.
    pub(super) fn descriptor_sets(&self) -> &[Bytes] {
        self.0.as_ref().map_or(&[], NodeBuilder::descriptor_sets)
    }

    /// The method, from the table of its service.
    pub(super) fn method(&self, method: &MethodName) -> Option<&'static Method> {
        let services = match self.0.as_ref()?.overview(&Config::default()) {
            Ok(services) => services,
            Err(error) => {
                tracing::debug!(%error, "no services of this binary");
                return None;
            }
        };
        services.iter().find_map(|ServiceOverview { info, .. }| info.find(method.path()))
    }
}

#[cfg(test)]
#[cfg(feature = "grpc")]
impl Own {
    pub(super) fn node(builder: NodeBuilder) -> Self {
        Self(Some(builder))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_node_that_cannot_be_made_has_no_schemas_and_stops_no_call() {
        let none = Own::of(async { Err("no database".into()) }).await;
        assert!(none.descriptor_sets().is_empty());
        assert!(none.method(&"demo.v1.Demo/Get".parse().unwrap()).is_none());
        let builder = crate::Node::builder().descriptors(&b"set"[..]);
        assert_eq!(Own::of(async { Ok(builder) }).await.descriptor_sets(), [&b"set"[..]]);
    }
}
